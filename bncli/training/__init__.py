"""How a network is trained: optimizers and schedules of the learning rate, as tables by name."""
