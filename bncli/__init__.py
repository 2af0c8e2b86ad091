"""bncli: batch-normalization ablation studies from the command line."""
