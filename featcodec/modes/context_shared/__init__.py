"""Context modelling with a model of a profile: groups and messages share it (SPEC §6, §7.13).

Its offsets and tables are of all steps, for dependent quantisation and without.
"""

from ..context import ContextFields
from ..mode import Mode

MODES = (
    Mode(
        "context-shared",
        11,
        folder="context_shared",
        fields=ContextFields,
        since=1,
        in_profiles=True,
        trellis=True,
    ),
)
