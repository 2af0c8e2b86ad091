"""Iterate in another thread: items, calls and errors arrive in the main thread, and it can stop waiting."""

import _thread
import threading
import time

import pytest

from bncli.thread import Unwanted, call_in_thread, in_thread

MAIN = threading.main_thread()


def test_items_are_made_in_another_thread_and_arrive_in_order():
    def make(here):
        for number in range(3):
            assert threading.current_thread() is not MAIN
            yield number

    assert list(in_thread(make)) == [0, 1, 2]


def test_the_next_item_is_made_when_it_is_asked_for():
    made = []

    def make(here):
        for number in range(3):
            made.append(number)
            yield number

    items = in_thread(make)
    assert (next(items), made) == (0, [0])
    time.sleep(0.05)
    assert made == [0]
    assert (next(items), made) == (1, [0, 1])
    items.close()


def test_callbacks_run_in_the_main_thread_and_return_their_values():
    threads = []

    def callback(number):
        threads.append(threading.current_thread())
        return 10 * number

    def make(here):
        yield here(callback)(1) + here(callback)(2)

    assert list(in_thread(make)) == [30]
    assert threads == [MAIN, MAIN]


def test_no_callback_stays_none():
    def make(here):
        yield here(None)

    assert list(in_thread(make)) == [None]


def test_an_error_of_a_callback_is_raised_where_it_was_called():
    caught = []

    def fail():
        raise ValueError("no")

    def make(here):
        try:
            here(fail)()
        except ValueError as error:
            caught.append(str(error))
        yield from ()

    assert list(in_thread(make)) == []
    assert caught == ["no"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt("now")])
def test_an_error_of_the_iterator_is_raised_in_the_main_thread(error):
    def make(here):
        yield 1
        raise error

    items = in_thread(make)
    assert next(items) == 1
    with pytest.raises(type(error), match=str(error)):
        next(items)


@pytest.mark.parametrize("wait", [0, 0.05], ids=["while it waits for an answer", "before its next call"])
def test_a_thread_that_is_not_wanted_ends_at_its_next_call_and_its_code_after_it_does_not_run(wait):
    ended, went_on = threading.Event(), []

    def make(here):
        try:
            yield 1
            time.sleep(wait)
            here(lambda: None)()
            went_on.append(True)
        except (Unwanted, GeneratorExit):
            ended.set()
            raise

    items = in_thread(make)
    next(items)
    items.close()
    assert ended.wait(5)
    assert went_on == []


def test_a_function_is_called_in_another_thread():
    assert call_in_thread(threading.current_thread) is not MAIN
    with pytest.raises(ZeroDivisionError):
        call_in_thread(lambda: 1 / 0)


def test_a_signal_that_does_not_wake_the_main_thread_is_seen_soon():
    """A signal that comes just before the main thread waits: `interrupt_main` marks it, and wakes nobody."""
    ends = threading.Event()

    def make(here):
        time.sleep(0.2)
        _thread.interrupt_main()
        yield ends.wait(20)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(in_thread(make))
    ends.set()
    assert time.monotonic() - start < 5
