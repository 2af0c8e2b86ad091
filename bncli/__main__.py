"""`bncli` and `python -m bncli`: run the command line in a process of its own."""

from typing import NoReturn

from bncli import process


def main() -> NoReturn:
    """Run the command line and end the process."""
    from bncli.cli import app

    process.run(app.main)


if __name__ == "__main__":
    main()
