"""`bncli` and `python -m bncli`: run the command line in a process of its own."""

import multiprocessing
from typing import NoReturn

from bncli import process

if multiprocessing.current_process().name != "MainProcess":  # a worker process imports this before anything else
    process.die_with_parent()


def main() -> NoReturn:
    """Run the command line and end the process."""
    from bncli.cli import app

    process.run(app.main)


if __name__ == "__main__":
    main()
