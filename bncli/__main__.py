"""`bncli` and `python -m bncli`: run the command line in a process of its own."""

import multiprocessing
import signal
from typing import NoReturn

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `process.run` handles it: no traceback of an import

from bncli import process

if multiprocessing.current_process().name != "MainProcess":  # a worker process imports this before anything else
    process.die_with_parent()


def main() -> NoReturn:
    """Run the command line and end the process."""
    process.run(_command)


def _command() -> None:
    from bncli.cli import app  # imported here, where signals are handled

    app.main()


if __name__ == "__main__":
    main()
