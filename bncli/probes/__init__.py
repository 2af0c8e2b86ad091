"""Probes measure something inside a network, by layer: activations, gradients."""
