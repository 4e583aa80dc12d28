"""Forecasters: from a window of rows to what sensors will read at given horizons."""
