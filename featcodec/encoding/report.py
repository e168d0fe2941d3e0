"""What encoding came to, for programs and for a person."""

from dataclasses import dataclass

from ..align.layout import Layout
from ..container.group import GroupHeader
from .exact_groups import ExactGroup
from .tensors.group import Group
from .tensors.lossless import LosslessGroup


@dataclass(frozen=True)
class Report:
    """What encoding a dump came to.

    `bpfp` is bits per feature point: all bytes of the file, in bits, over the number of values.
    """

    input_bytes: int
    output_bytes: int
    values: int
    snr_db: float  # of the worst group; infinite when nothing was lost
    choices: tuple[str, ...] = ()  # a line on each group
    remarks: tuple[str, ...] = ()  # what was ignored of the metadata, or is left of a rate

    @property
    def bpfp(self) -> float:
        return 8 * self.output_bytes / self.values if self.values else 0.0


def described(group: Group | ExactGroup, header: GroupHeader) -> str:
    """Return what was chosen for a group, for a person."""
    names = group.names[0] if len(group.names) == 1 else f"{group.names[0]} .. {group.names[-1]}"
    left_out = f", {sum(header.repeats.repeated)} repeated rows left out" if header.repeats else ""
    if header.lossy is None:
        reasons = group.reasons if isinstance(group, LosslessGroup) else ()
        why = f" ({', '.join(reasons)})" if reasons else ""
        what = "bit for bit" if header.exact else f"rounded, {header.snr_db:.2f} dB"
        return f"{names}: {header.dtype}, {what}{why}{left_out}"
    if header.lossy.refined:
        mode = header.lossy.transform
        return f"{names}: {header.dtype}, bit for bit, {mode} and refined{left_out}"
    lossy, part = header.lossy, header.lossy.parts[0]
    profile = lossy.neural or part.model is None
    origin = "of the profile" if profile else "of its own"
    layout = group.cut_as if isinstance(group, Group) and group.cut_as else None
    layout = layout or Layout(lossy.layout, lossy.prefix, lossy.grid)
    cut = f", {lossy.clipped} values kept exactly" if lossy.clipped else ""
    task = "" if header.task_snr is None else f", task SNR {header.task_snr:.2f} dB"
    return (
        f"{names}: {header.dtype} {layout} {lossy.architecture}, {lossy.transform} {origin},"
        f" step {lossy.step:.4g}, {header.snr_db:.2f} dB{task}{cut}{left_out}"
    )
