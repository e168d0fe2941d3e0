"""Context modelling with a model of a profile: groups and messages share it (SPEC §6, §7.13).

Its offsets and tables are of all steps, for dependent quantisation and without.
"""

from ..context import ContextFields
from ..mode import Mode

FOLDER = "context_shared"
MODES = (Mode("context-shared", 11, FOLDER, ContextFields, in_profiles=True, trellis=True),)
