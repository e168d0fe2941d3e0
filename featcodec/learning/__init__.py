"""Training of the neural transform; the only code that imports compressai."""
