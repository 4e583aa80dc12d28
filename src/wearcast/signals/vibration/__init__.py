"""Recordings of vibration with what is known of the machine: readers and resampling."""
