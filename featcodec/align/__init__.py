"""Alignment: tensors of any layout to token grids, values to a common range, and back.

Which module? Format alignment: `layout` names the axes of a tensor, `blocks` cuts a token grid into
slabs and blocks, `grids` moves blocks between the tensors of a group and arrays. Value alignment:
`numbers` converts stored elements to floats, `value` truncates and normalises, `curve` corrects the
mean error of decoded values near the lower bound.
"""
