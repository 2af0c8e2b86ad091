"""Data sets: registered ones and files of a user, split and scaled one way."""
