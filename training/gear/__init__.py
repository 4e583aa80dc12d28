"""What gear vibration tells: which fault, how fast, under which load."""
