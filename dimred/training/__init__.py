"""Training: its options, where to compute, one stage, several processes, checkpoints."""
