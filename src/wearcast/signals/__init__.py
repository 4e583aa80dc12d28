"""The domain core: readers, windows, the life line and remaining life. Needs numpy only."""
