"""Alignment: tensors of any layout to token grids, values to a common range, and back."""
