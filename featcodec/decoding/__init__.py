"""Decoding: a file to tensors, row group by row group. It imports nothing of the encoder.

`decoder.Decoder` decodes whole tensors, or rows of one; it reads only the row groups that it needs.
"""
