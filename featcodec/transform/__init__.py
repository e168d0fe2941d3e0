"""Transforms: aligned values to latents, and back.

Which module? `linear` has a KLT over channels and a DCT over the points of a block, `banded` a KLT
for each band of frequencies, `weighted` a task metric before that; `linear.Centred` only subtracts
the centre, for the sample domain. All are `base.Transform`. They build on `dct` and `householder`.
`neural` is apart: it maps whole pictures of tokens x channels to latents, and runs before a linear
transform, which codes the residual.
"""
