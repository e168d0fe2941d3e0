"""What only an encoder does: a dump to a file.

`dump` goes through the groups of a dump; `tensors` says which tensors form one, by what `rough`
estimates; `search` tries ways to code it on samples, which `fit` adapts models to; `bounded` does
so for a bound on the error; `group_writer` writes the winner; `rate_control` meets the quality.
"""
