"""Signals; what a second one does to a process that never returns to Python is in test_torture."""

import signal
import threading

import pytest

from bncli.process import Interrupted, interruptible


@pytest.fixture(autouse=True)
def handlers():
    """Give pytest its own handlers back: after an interruption the default ones end the process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_interrupts_and_knows_its_exit_status(number, status):
    with pytest.raises(Interrupted) as caught, interruptible():
        signal.raise_signal(number)
    assert caught.value.status == status
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_block_without_a_signal_leaves_the_handlers_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_nothing_is_caught():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def block():
        with interruptible():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert seen == [before]
