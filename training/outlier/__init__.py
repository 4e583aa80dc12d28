"""Outlier stages: detectors fitted in closed form, as one graph."""
