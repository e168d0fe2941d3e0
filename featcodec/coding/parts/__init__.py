"""Coders of one token grid: aligned values to symbols with tables, and back.

Which module? `base` quantises each latent by itself, `dependent` along chains with a trellis, which
`chains` puts into coding order. Both choose tables by scale. Coders of the sample domain, which
choose tables otherwise, lie in the folders of their modes.
"""
