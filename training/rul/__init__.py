"""Remaining useful life of bearings: from recordings to a checkpoint, and how good it is."""
