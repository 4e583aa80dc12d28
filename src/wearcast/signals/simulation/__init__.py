"""Simulated machines and plants: for trying things out, and never a proof about real ones."""
