"""`bncli` and `python -m bncli`: the command line in a process of its own."""

from typing import NoReturn

from bncli import startup


def main() -> NoReturn:
    """Run the command line and end the process."""
    from bncli import cli

    startup.run(cli.main)


if __name__ == "__main__":
    main()
