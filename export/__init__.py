"""From checkpoints to fixed-shape ONNX and TorchScript with a contract."""
