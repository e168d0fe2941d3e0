"""Quantisers: latents to integer symbols and back."""
