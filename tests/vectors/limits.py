"""Files whose index or header asks for more than SPEC §10 allows."""

import hashlib
import io
from collections.abc import Iterator

import numpy as np

from featcodec.container.group import GroupHeader
from featcodec.container.index import TensorEntry
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.entropy import symbols

from . import raw
from .edit import PLAIN, LaxWriter
from .networks import least_network, packed
from .store import Vector, fault

VALUES, CHANNELS = 1 << 40, 16  # of a tensor, of the latents of a network

# Tensors with an axis of latent channels, and that axis.
WIDENED = {
    "analysis.0.weight": 0,
    "analysis.0.bias": 0,
    "hyper_analysis.0.weight": 1,
    "hyper_synthesis.2.weight": 1,
    "hyper_synthesis.2.bias": 0,
    "synthesis.0.weight": 0,
    "gain": 1,
    "inverse_gain": 1,
}


def made() -> Iterator[Vector]:
    plain = GroupHeader("U8", 1, 1, 0, 0.0, 0.0)
    features = Lossy(**PLAIN, parts=(Part("none", Model("none")),))
    lines = Lossy(**PLAIN | {"layout": "NL"}, parts=(Part("none", Model("none", (1,))),))
    cases = {
        "too-many-values": ((VALUES, VALUES), plain),
        "rank-17": ((1,) * 17, plain),
        "too-many-channels": ((1, 1 << 17), GroupHeader("F32", 1, 1, 0, 0.0, 0.0, features)),
        "row-group-too-large": (
            (1 << 20, 1 << 20),
            GroupHeader("F32", VALUES, VALUES, 0, 0.0, 0.0, lines),
        ),
    }
    for name, (shape, header) in cases.items():
        kind = raw.U8 if header.dtype == "U8" else raw.F32
        groups = [raw.section(b"ROWS", b""), raw.section(b"GRUP", header.pack())]
        yield fault(name, name.replace("-", " "), raw.one(kind, shape, *groups), kind="limits")
    profile = many_latents()
    yield fault(
        "too-many-latents",
        "too many latents of a picture",
        picture_of(profile),
        profile,
        kind="limits",
        beside="network.fcp",
    )


def many_latents() -> bytes:
    """Return a network like the least one, but with CHANNELS of the latents."""
    tensors = least_network()
    for name, axis in WIDENED.items():
        tensors[name] = np.repeat(tensors[name], CHANNELS, axis)
    return packed(tensors)


def picture_of(profile: bytes) -> bytes:
    """Write a picture of 514 x 65,535, whose latents are more than 2^27 with 16 channels."""
    header = Lossy(**PLAIN | {"profile": 0}, parts=(Part("none", Model("none")),), neural=True)
    out = io.BytesIO()
    writer = LaxWriter(out)
    writer.section(b"ROWS", bytes([128, 0, 0, 0]) + symbols.encode([]))
    writer.section(b"GRUP", GroupHeader("F8_E4M3", 514, 514, 0, 1.0, np.nan, header).pack())
    writer.profile(hashlib.sha256(profile).digest())
    writer.index.tensors = [TensorEntry("x", "F8_E4M3", (514, 65535), 0)]
    writer.finish()
    return out.getvalue()
