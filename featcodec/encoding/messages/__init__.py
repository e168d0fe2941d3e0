"""Arrays to messages (SPEC §9.1).

Which module? `array` decides how an array is coded: with loss or bit for bit, and under which
entry. `trial` has its latents under one entry; `latents` quantises them, with context modelling
`neighbours`. `step` finds the step. `trellis` takes fewer bits for the same error, in more time.
"""
