"""The checks, by what they look at: single layers, networks and data, the inside of trained networks."""
