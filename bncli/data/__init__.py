"""Data sets: the registered ones and the user's files, split and scaled in one way."""
