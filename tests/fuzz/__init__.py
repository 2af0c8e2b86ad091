"""Hostile input of every kind: whatever it is, bncli answers, or refuses it in a line or two, and harms nothing."""
