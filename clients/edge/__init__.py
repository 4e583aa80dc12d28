"""The edge service: reads a plant's sensors, keeps, judges and forecasts, and sends on."""
