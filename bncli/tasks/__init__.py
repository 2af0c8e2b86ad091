"""What networks are trained to do, and how that is scored."""
