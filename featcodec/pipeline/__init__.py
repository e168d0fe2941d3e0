"""Joins alignment, transform, quantiser and entropy coder into payloads and files."""
