"""A file to tensors, row group by row group. Knows nothing of encoding."""
