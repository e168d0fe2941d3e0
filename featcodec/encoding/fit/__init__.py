"""Models fitted to samples in closed form."""
