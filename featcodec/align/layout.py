"""Layouts: the role of each axis of a tensor (SPEC §5.1), from the metadata or from the shape.

Other tools write words of their own under the same keys. A layout in another spelling is accepted;
anything else is ignored, and `remarks` reports it.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from ..errors import Damage

SAMPLE, GRID, CHANNEL, INDEPENDENT = "N", "LHWT", "CD", "K"
MAX_CHANNELS = 1 << 13  # of a token; an axis with more is taken for a sequence

# CLS; CLS and distillation; CLS and four registers; CLS and eight registers
PREFIXES = (0, 1, 2, 5, 9)

ARCHITECTURES = ("cnn", "transformer", "generic")
NUMBER = "[0-9]{1,9}"
# Words for axes by rank.
CHANNELS_AT = {
    "channels_first": {4: "NCHW", 5: "NCTHW"},
    "channels_last": {4: "NHWC", 5: "NTHWC"},
}
LONGEST = 100  # characters of a layout in the metadata


class LayoutError(Damage):
    """A text is no layout, or a layout does not fit a shape."""


@dataclass(frozen=True)
class Layout:
    """Letters of the axes (N sample, L H W T grid, C D channels), prefix tokens and their grid.

    The first `prefix` tokens of L lie on no grid; the others lie on `grid` (rows, columns). Each
    index of axes K is a tensor of its own, and so is each of several parts of the last axis, whose
    lengths are `parts`.
    """

    axes: str
    prefix: int = 0
    grid: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        axes = f"layout {shortened(self.axes)}"
        places = [a for a in self.axes if a in GRID]
        if set(self.axes) - set(SAMPLE + GRID + CHANNEL + INDEPENDENT):
            raise LayoutError(f"{axes}: use N, K, C, D, and each of L H W T once")
        if self.axes and not self.axes.strip(INDEPENDENT):
            raise LayoutError(f"{axes} has axes K alone: name one N, L or D")
        last = self.axes[-1:]
        cut = last in GRID + CHANNEL and not (self.grid and last == "L")
        if self.parts and not (cut and len(self.parts) > 1 and min(self.parts) > 0):
            raise LayoutError(f"{axes}: write parts of the last axis, C, D or L, as in LD/128+128")
        if len(places) != len(set(places)) or len(places) > 3:
            raise LayoutError(f"{axes} repeats a grid axis or has more than three of L H W T")
        if SAMPLE * self.axes.count(SAMPLE) not in self.axes:
            raise LayoutError(f"{axes} has sample axes N that are not side by side")
        if (self.grid and "".join(places) != "L") or (self.prefix and not self.grid):
            raise LayoutError(f"{axes} has no single axis L to hold prefix and grid")

    def __str__(self) -> str:
        parts = f"/{'+'.join(map(str, self.parts))}" if self.parts else ""
        if not self.grid:
            return self.axes + parts
        return f"{self.axes}:{self.prefix}+{'x'.join(map(str, self.grid))}{parts}"

    @property
    def cuts(self) -> bool:
        return INDEPENDENT in self.axes or bool(self.parts)

    @property
    def of_parts(self) -> "Layout":
        """The layout of the parts of a tensor."""
        return Layout(self.axes.replace(INDEPENDENT, ""), self.prefix, self.grid)

    def along(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...] | None, ...]:
        """Return how each axis is cut: () not, None into its indices, else into some lengths."""
        self.token_grid(shape)
        whole: list[tuple[int, ...] | None] = [() if a != INDEPENDENT else None for a in self.axes]
        return (*whole[:-1], self.parts) if self.parts else tuple(whole)

    @lru_cache(maxsize=256)  # noqa: B019 - many small tensors of a layout are looked at many times
    def order(self) -> tuple[int, ...]:
        """Return the axes in the order of the token grid: samples, grid, channels."""
        rank = {INDEPENDENT: 0, SAMPLE: 0}
        rank |= {**dict.fromkeys(GRID, 1), **dict.fromkeys(CHANNEL, 2)}
        return tuple(sorted(range(len(self.axes)), key=lambda axis: rank[self.axes[axis]]))

    @lru_cache(maxsize=4096)  # noqa: B019 - so are their shapes
    def token_grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (samples, grid..., channels) of a tensor of that shape, prefix tokens included."""
        if len(shape) != len(self.axes):
            axes = "1 axis" if len(self.axes) == 1 else f"{len(self.axes)} axes"
            raise LayoutError(f"layout {shortened(self.axes)} has {axes}, the tensor {len(shape)}")
        sizes = {
            role: [n for a, n in zip(self.axes, shape, strict=True) if a in role]
            for role in (SAMPLE + INDEPENDENT, GRID, CHANNEL)
        }
        sizes[SAMPLE] = sizes.pop(SAMPLE + INDEPENDENT)
        if self.parts and sum(self.parts) != shape[-1]:
            raise LayoutError(f"layout {self} does not fit a last axis of {shape[-1]}")
        if self.grid and sizes[GRID] != [self.prefix + math.prod(self.grid)]:
            raise LayoutError(f"layout {self} does not fit {sizes[GRID][0]} tokens")
        return (math.prod(sizes[SAMPLE]), *sizes[GRID], math.prod(sizes[CHANNEL]))

    @property
    def grid_axes(self) -> int:
        return sum(axis in GRID for axis in self.axes)

    @cached_property
    def channel_axes(self) -> int:
        return sum(axis in CHANNEL for axis in self.axes)

    @property
    def slabs_are_samples(self) -> bool:
        return self.prefix > 0 or not self.grid_axes


def shortened(text: str) -> str:
    """Return a text as a message quotes it: on one line, at most 40 characters of it."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


@lru_cache(maxsize=64)
def parse(text: str) -> Layout:
    """Read `NCHW`, or `NLD:1+8x8` with prefix tokens and a grid; `NLD:0` is a plain sequence.

    `NLD/64+64` has two parts of the last axis that are coded like tensors of their own.
    """
    shape, slash, lengths = text.strip().partition("/")
    axes, _, rest = shape.partition(":")
    if slash and not re.fullmatch(rf"{NUMBER}(\+{NUMBER})+", lengths):
        raise LayoutError(f"layout {shortened(text)}: write parts of an axis as in LD/128+128")
    parts = tuple(int(length) for length in lengths.split("+")) if slash else ()
    match = re.fullmatch(rf"(?:({NUMBER})\+)?({NUMBER})x({NUMBER})", rest)
    if rest in ("", "0"):
        return Layout(axes.upper(), parts=parts)
    if not match:
        raise LayoutError(f"layout {shortened(text)}: write the tokens' grid as in NLD:1+8x8")
    return Layout(axes.upper(), int(match[1] or 0), (int(match[2]), int(match[3])), parts)


def infer(shape: tuple[int, ...], architecture: str) -> Layout:
    """Return the likely layout of a tensor of that shape."""
    axes = _infer_axes(shape, architecture)
    if math.prod(n for a, n in zip(axes, shape, strict=True) if a in CHANNEL) > MAX_CHANNELS:
        axes = SAMPLE * (len(shape) - 1) + "L"
    return Layout(axes)


def _infer_axes(shape: tuple[int, ...], architecture: str) -> str:
    rank = len(shape)
    if rank <= 2:
        return ("", "D", "LD")[rank]
    if rank == 3:
        if architecture == "transformer":
            return "NLD"
        if shape[1] == shape[2] or architecture == "cnn":
            return "CHW" if shape[0] != shape[1] or shape[1] == shape[2] else "HWC"
        return "NLD"
    if rank == 4:
        if shape[1] == shape[2] != shape[3]:
            return "NHWC"
        return "NNLD" if architecture == "transformer" else "NCHW"
    return "NCTHW" if rank == 5 else SAMPLE * (rank - 2) + "LD"


def infer_grid(tokens: int) -> tuple[int, tuple[int, ...]]:
    """Return (prefix, grid) of a square grid behind usual prefix tokens, else (0, ())."""
    for prefix in PREFIXES:
        side = math.isqrt(max(tokens - prefix, 0))
        if side >= 4 and side * side == tokens - prefix:
            return prefix, (side, side)
    return 0, ()


def choose(
    shape: tuple[int, ...], metadata: Mapping[str, str], architecture: str, asked: str | None
) -> Layout:
    """Return the requested layout, else that of the metadata, else the likely one.

    Raises LayoutError, which names a layout that fits, when the requested one does not.
    """
    text = asked or stated(shape, metadata)
    try:
        layout = parse(text) if text else None
        if layout is not None and asked is None and _rank(text) != len(shape):
            layout = None  # the metadata describe tensors of another rank
        layout = layout or infer(shape, architecture)
        layout.token_grid(shape)
    except LayoutError as error:
        raise LayoutError(f"{error}; {infer(shape, architecture)} would fit") from None
    if ":" not in text and not layout.grid and layout.axes.endswith("NLD"):
        tokens = shape[layout.axes.index("L")]
        prefix, grid = _grid_of(metadata, tokens)
        layout = replace(layout, prefix=prefix, grid=grid)
    return layout


def stated(shape: tuple[int, ...], metadata: Mapping[str, str]) -> str:
    """Return the layout of the metadata, in the spelling that `parse` reads.

    Returns "" when there is none, it is invalid, or it has the rank of the shape but does not fit.
    """
    text = _meant(metadata.get("layout", ""), len(shape))
    try:
        if _rank(text) == len(shape):
            parse(text).token_grid(shape)
    except LayoutError:
        return ""
    return text


def _rank(text: str) -> int:
    """Return how many axes a layout has."""
    return len(parse(text).axes)


def _meant(text: str, rank: int) -> str:
    """Return the usual spelling: `NHWC` for `nhwc`, `[N, H, W, C]` or `channels_last`."""
    if len(text) > LONGEST:
        return ""
    axes = re.sub(r"(?<=\w)\s*\(.*\)\s*$", "", text)  # a remark in brackets
    word = re.sub(r"[\s_-]+", "_", axes.strip().lower())
    if word in CHANNELS_AT:
        return CHANNELS_AT[word].get(rank, "")
    axes, colon, rest = re.sub(r"[\s,'\"()\[\]]", "", axes).upper().partition(":")
    return axes.replace("B", SAMPLE) + colon + rest.lower()


def remarks(metadata: Mapping[str, str], shapes: Collection[tuple[int, ...]]) -> list[str]:
    """Return a line for each key of the metadata that does not apply to these shapes."""
    found = []
    layout = metadata.get("layout")
    fitting = (text for s in shapes if (text := stated(s, metadata)) and _rank(text) == len(s))
    if layout and not any(fitting):
        found.append(
            f"the metadata's layout {shortened(layout)} fits none of the features and is ignored;"
            " state one that fits"
        )
    architecture = metadata.get("architecture")
    if architecture and _named(metadata) is None:
        found.append(
            f"the metadata's architecture {shortened(architecture)} is none of"
            f" {', '.join(ARCHITECTURES)} and is ignored"
        )
    for key, read in (("prefix_tokens", _prefix_of), ("grid", _sides_of)):
        if metadata.get(key) and read(metadata) is None:
            found.append(f"the metadata's {key} {shortened(metadata[key])} is ignored")
    return found


def _grid_of(metadata: Mapping[str, str], tokens: int) -> tuple[int, tuple[int, ...]]:
    """Return `prefix_tokens` and `grid` of the metadata when they fit, else the likely ones."""
    prefix, grid = _prefix_of(metadata), _sides_of(metadata)
    if prefix is not None and grid and prefix + math.prod(grid) == tokens:
        return prefix, grid
    return infer_grid(tokens)


def _prefix_of(metadata: Mapping[str, str]) -> int | None:
    """Read `1`; an empty text is 0."""
    match = re.fullmatch(rf"\s*({NUMBER})\s*", metadata.get("prefix_tokens") or "0")
    return int(match[1]) if match else None


def _sides_of(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Read `8x8` or `(8, 8)`."""
    sides = rf"[\s(\[]*({NUMBER})\s*[x,]\s*({NUMBER})[\s)\]]*"
    match = re.fullmatch(sides, metadata.get("grid", ""), re.IGNORECASE)
    return (int(match[1]), int(match[2])) if match else None


def architecture_of(
    shape: tuple[int, ...], metadata: Mapping[str, str], layout_text: str | None
) -> str:
    """Return the architecture that the metadata name, else one that layout or shape suggest."""
    rank = len(shape)
    named = _named(metadata)
    if named is not None:
        return named
    text = (layout_text or stated(shape, metadata)).partition(":")[0].upper()
    picture = rank in (4, 5) or (rank == 3 and shape[1] == shape[2])
    if ("H" in text and "W" in text) or (not text and picture):
        return "cnn"
    if ("L" in text and "D" in text) or (not text and rank in (2, 3)):
        return "transformer"
    return "generic"


def _named(metadata: Mapping[str, str]) -> str | None:
    """Return the architecture that the metadata name, None when it is unknown."""
    named = metadata.get("architecture", "").strip().lower()
    return named if named in ARCHITECTURES else None
