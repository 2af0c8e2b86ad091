"""What is measured inside a network, as functions of layers and tensors."""
