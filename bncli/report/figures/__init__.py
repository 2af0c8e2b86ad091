"""The figures of a study: a module or two functions each, registered by name."""
