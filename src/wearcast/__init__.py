"""Machine health from raw sensor data: train, export, serve, stream."""
