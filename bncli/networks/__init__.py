"""Networks: normalizations, specs, initial weights, and the model factory."""
