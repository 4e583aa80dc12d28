"""Fault diagnosis: which fault a machine has, from its vibration."""
