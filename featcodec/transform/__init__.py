"""Transforms: aligned values to latents and back. Each stands behind `base.Transform`."""
