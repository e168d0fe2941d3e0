"""Profiles from many dumps: `linear` in closed form, `network` by gradient descent."""
