"""The gRPC server: ONNX Runtime behind streams."""
