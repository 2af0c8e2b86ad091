"""What networks are trained to do, and how the result is scored."""
