"""What trains runs. Every engine offers `train(configs, dataset, ...)`, which yields results as they end."""
