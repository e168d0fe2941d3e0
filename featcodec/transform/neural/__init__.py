"""The neural transform: a hyperprior codec for pictures of tokens x channels (SPEC §9.2-§9.5).

`weights` checks the tensors of a network. `hyper_synthesis` chooses entropy tables in integers,
with NumPy alone, so that all machines choose the same. `network` runs the rest in floating point on
torch.
"""
