"""A run as a stand-alone Keras program."""
