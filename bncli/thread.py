"""Iterate in another thread, while the main thread waits for items and signals."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from bncli import signals

_Item = TypeVar("_Item")

Callback = Callable[..., Any]

Here = Callable[[Callback | None], Callback | None]
"""Returns a function that calls another one in the main thread and waits for its value; None stays None."""


LOOK_EVERY = 0.5
"""Seconds after which the waiting main thread looks for a signal that did not wake it."""


class Unwanted(BaseException):
    """Ends a thread whose items nobody waits for. Not an `Exception`, which engines record as a failed run."""


def in_thread(make: Callable[[Here], Iterator[_Item]]) -> Generator[_Item, None, None]:
    """Iterate in another thread, so that signals reach the main thread at once and disturb no library.

    A signal handler that raises an exception in the middle of TensorFlow can be swallowed by it, or fail the run that
    trains. Here the main thread waits, and a signal ends the waiting. The other thread ends at its next item or call.

    Args:
        make: A function that returns the iterator. Callbacks that print or write have to go through the function that
            it is given: it calls them in the main thread.

    Yields:
        The items, in the main thread. The iterator advances when the next one is asked for.
    """
    main = _Main()

    def iterate() -> None:
        end: Future[Any] = Future()
        try:
            for item in make(main.here):
                main.call(None, item)
            end.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            end.set_exception(error)
        main.calls.put((end, None, ()))

    threading.Thread(target=iterate, name="bncli-iterator", daemon=True).start()
    try:
        yield from main.items()
    finally:
        main.close()


def call_in_thread(function: Callable[[], _Item]) -> _Item:
    """Call a function in another thread and return its value, so that signals reach the main thread at once."""
    (value,) = in_thread(lambda here: iter((function(),)))
    return value


class _Main:
    """The main thread, as another thread uses it: it makes calls, one at a time, and takes items."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[tuple[Future[Any], Callback | None, tuple[Any, ...]]] = queue.SimpleQueue()
        self.current: Future[Any] = Future()
        self.is_closed = False

    def here(self, function: Callback | None) -> Callback | None:
        """Return a function that calls `function` in the main thread."""
        return None if function is None else lambda *arguments: self.call(function, *arguments)

    def call(self, function: Callback | None, *arguments: Any) -> Any:
        """Let the main thread call a function and return its value; without a function, hand over an item."""
        if self.is_closed:
            raise Unwanted
        answer: Future[Any] = Future()
        self.calls.put((answer, function, arguments))
        return answer.result()

    def items(self) -> Iterator[Any]:
        """Make calls and yield items until the other thread ends; an error there is raised here."""
        while True:
            self.current, function, arguments = self._next_call()
            if self.current.done():
                self.current.result()
                return
            if function:
                _answer(self.current, function, arguments)
            else:
                yield arguments[0]
                self.current.set_result(None)

    def _next_call(self) -> tuple[Future[Any], Callback | None, tuple[Any, ...]]:
        """Wait for a call. A signal between Python's last look and the wait itself does not end the wait."""
        while True:
            signals.check()
            with suppress(queue.Empty):
                return self.calls.get(timeout=LOOK_EVERY)

    def close(self) -> None:
        """End the threads that wait for an answer."""
        self.is_closed = True
        waiting = [self.current]
        while not self.calls.empty():
            waiting.append(self.calls.get()[0])
        for answer in waiting:
            if not answer.done():
                answer.set_exception(Unwanted())


def _answer(answer: Future[Any], function: Callback, arguments: tuple[Any, ...]) -> None:
    try:
        answer.set_result(function(*arguments))
    except Exception as error:  # noqa: BLE001 - raised again in the thread that called
        answer.set_exception(error)
