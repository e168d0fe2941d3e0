"""Entropy coding: integers to bytes, and back, exactly.

Which module? Tables: `tables` expands a description to frequencies, `fit` finds the description for
given symbols. Built-in tables: `family` by scale, `dependent_family` by scale and quantiser,
`contexts` by decoded neighbours, `split` for kinds and magnitudes. Coding: `symbols` codes arrays
with a table each, `integers` side information with a table of its own, both on `rans`. `prediction`
turns indices into residuals. Bit for bit: `exact` chooses between `planes`, `bins` (on `raster`,
chosen by `bin_choice`) and a zlib stream.
"""
