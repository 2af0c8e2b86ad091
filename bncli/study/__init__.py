"""Studies: their runs, how these are trained, and the folders in which results are stored."""
