"""Arrays to messages (SPEC §9.1).

Which module? `array` decides how an array is coded: with loss or bit for bit, and under which
entry; `looks` tells before which entries may be the smallest, of those with context modelling by
what `told` finds for all together. `trial` has its latents under one entry, which `shared` makes;
`latents` quantises them, with context modelling `neighbours`. `step` finds the step. `trellis`
takes fewer bits for the same error, in more time.
"""
