"""Engines train runs: `train(configs, dataset, on_epoch, on_model)` yields the results as runs end."""
