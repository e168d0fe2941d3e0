"""Coders of one token grid, one file a kind: aligned values to symbols with tables, and back.

`base` quantises each latent by itself, `dependent` along a trellis; `context` and
`dependent_context` do the same in the sample domain, where decoded neighbours choose the tables;
`predicted` and `split` bound every error.
"""
