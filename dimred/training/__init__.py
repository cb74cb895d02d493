"""Training of one stage: options, device, optimizer steps, several processes, checkpoints."""
