"""Studies: what they are, where they lie on disk, and how they are executed."""
