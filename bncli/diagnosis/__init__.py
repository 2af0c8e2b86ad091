"""What is wrong with the normalizations of a network, and how to mend it."""
