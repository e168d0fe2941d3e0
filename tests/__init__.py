"""The tests of featcodec, and what makes its test vectors."""
