"""`python -m bncli`."""

from bncli.cli import main

main()
