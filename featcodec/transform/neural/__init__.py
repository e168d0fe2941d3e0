"""The neural transform: a hyperprior codec on tokens x channels (SPEC §9.2-§9.5)."""
