"""Models in PyTorch: read recordings, train, evaluate, write checkpoints."""
