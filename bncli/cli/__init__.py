"""The command line: the app, its options, and one module per command."""
