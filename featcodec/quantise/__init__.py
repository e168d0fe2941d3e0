"""Quantisers: latents to integer symbols, and back.

Which module? `scalar` decides each latent by itself, at two thresholds that minimise D + lambda R.
`dependent` is trellis-coded quantisation: it decides chains of latents together, which saves bits
at the same error and takes the encoder longer.
"""
