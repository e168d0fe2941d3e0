"""Which tensors of a dump belong together, and samples of a group."""
