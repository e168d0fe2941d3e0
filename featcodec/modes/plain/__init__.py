"""No transform: channels in the sample domain, clustered by the table that suits them (SPEC §6)."""

from ..mode import Mode

MODES = (Mode("none", 0, "plain", in_profiles=True, trellis=True),)
