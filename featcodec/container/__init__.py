"""The file format around the payloads (SPEC §2-§5); standard library only.

Which module? `wire` has the primitive fields, `sections` the signature and the sections with their
checksums. `source` gives bytes at positions; `reader` opens a file and `writer` makes one. `index`,
`group`, `model` and `network` are what sections hold. `dump` and `agreement` check what single
fields cannot show: that safetensors can hold the tensors, and that the groups fit them.
"""
