"""Training of the neural transform; needs the extra `train`."""
