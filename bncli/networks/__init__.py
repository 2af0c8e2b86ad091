"""Networks: normalizations, the grammar of specs, initial weights, and building Keras models."""
