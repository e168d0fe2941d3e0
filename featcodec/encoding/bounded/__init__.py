"""Coding within a bound on every error: uniform quantisation in the sample domain."""
