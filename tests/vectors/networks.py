"""Networks (SPEC §9.2 to §9.5): a least one and its pictures by hand, and faulty ones."""

import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from safetensors.numpy import save

from bitstream_spec import reference_decoder as reference
from featcodec import Profile
from featcodec.container import index
from featcodec.container.group import GroupHeader
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.network import Network
from featcodec.container.part import Part
from featcodec.container.wire import Builder
from featcodec.container.writer import Writer
from featcodec.entropy import family, integers, symbols
from featcodec.entropy.tables import Table

from .edit import PLAIN, lossy, rewrite
from .store import Vector, fault, sound, stored, valid

LARGEST = 4096  # hyper-latent
HYPER_TABLES = (Table(3, 0, 120, 128, (130, 140)), Table(1, 1, 110, 130))
LATENT_TABLES = {5: Table(2, 0, 120, 128, (140,)), 9: Table(3, 2, 110, 120, (130, 140))}
# The first level's step is 0.7, less a tenth in the row group; half a level below it, and more.
STEPS = {"104-network-least": 0.5, "105-network-coarse": 0.9, "106-network-coarsest": 2.0}

Tensors = dict[str, np.ndarray]


def made() -> Iterator[Vector]:
    least = least_file()
    for name, step in STEPS.items():
        yield valid(name, picture(least, LARGEST, step), "least.fcp")
    yield from faulty_files(least)
    for name, (reason, tensors) in faulty_networks().items():
        profile = packed(tensors)
        yield fault(name, reason, picture(profile, LARGEST), profile, beside="network.fcp")


def least_network() -> Tensors:
    """One stage, one latent channel, two of the hyper-latents, as large as exactness allows."""
    rng = np.random.default_rng(3)
    found: Tensors = {
        f"hyper_synthesis.{i}.weight": rng.integers(-9, 10, (2, 2, 5, 5)).astype("i2")
        for i in (0, 1)
    }
    reach = np.abs(found["hyper_synthesis.0.weight"].astype(np.int64)).sum((0, 2, 3)).max()
    bound = (1 << 53) - (1 << 10) - int(reach) * LARGEST
    tables = b"".join(bytes([n]) + integers.pack_table(t) for n, t in LATENT_TABLES.items())
    found |= {
        "hyper_synthesis.2.weight": np.array([3, -2], "i2").reshape(2, 1, 1, 1),
        "hyper_synthesis.0.bias": np.array([9000, 1 - bound]),
        "hyper_synthesis.1.bias": np.array([500, 700]),
        "hyper_synthesis.2.bias": np.array([90]),
        "hyper_synthesis.shift": np.array([10, 6, 4], "u1"),
        "hyper_tables": np.frombuffer(b"".join(map(integers.pack_table, HYPER_TABLES)), "u1"),
        "latent_tables": np.frombuffer(tables, "u1"),
        "coarsest_step": np.array([0.7], "f4"),
    }
    shapes = {"analysis.0": (1, 1, 5, 5), "hyper_analysis.0": (2, 1, 3, 3)}
    shapes |= {"synthesis.0": (1, 1, 5, 5)}
    shapes |= {"hyper_analysis.1": (2, 2, 5, 5), "hyper_analysis.2": (2, 2, 5, 5)}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = rng.normal(0, 0.2, shape).astype("f2")
        found[f"{name}.bias"] = rng.normal(0, 0.2, shape[0]).astype("f4")
    found["inverse_gain"] = np.array([[0.25], [-0.5]], "f2")
    found["gain"] = -found["inverse_gain"]
    return found


def packed(tensors: Tensors) -> bytes:
    """Return a profile that holds a network alone."""
    metadata = {"name": "by hand"}
    return Profile.pack([], Network(save(tensors, metadata), metadata))


def least_file() -> bytes:
    return packed(least_network())


def picture(profile: bytes, largest: int, step: float = 0.5) -> bytes:
    """Code a picture of 21 x 13 with the network of `least_network` and hyper-latents up to it.

    The profile may be another one that gives the same table numbers: only its name goes in.
    """
    rng = np.random.default_rng(4)
    network = reference.read_profile(least_file()).network
    assert network is not None
    seed = zlib.crc32(hashlib.sha256(profile).digest())
    hyper = rng.integers(-2, 3, (2, 3, 2)).astype("i4")
    hyper[0, 1, 1], hyper[1, 2, 0] = largest, -LARGEST
    numbers = reference.hyper_synthesis(hyper.tolist(), network, [(6, 4), (11, 7)])
    flat = np.array(numbers).ravel()
    latents = [
        (rng.integers(-4, 5, int((flat == n).sum())).astype("i4"), table)
        for n in np.unique(flat)
        if (table := LATENT_TABLES.get(int(n), family.table(int(n)))).magnitude
    ]
    hyper_latents = [(z.ravel(), t) for z, t in zip(hyper, HYPER_TABLES, strict=True)]
    rows = Builder()
    rows.u8(100)
    rows.varint(0)
    rows.blob(symbols.encode(hyper_latents, seed))
    rows.blob(symbols.encode(latents, seed))
    rows += symbols.encode([], seed)
    header = Lossy(
        **PLAIN | {"upper": 9.0, "std": 2.0, "step": step, "step_scale": 40, "profile": 0},
        parts=(Part("none", Model("none")),),
        neural=True,
    )
    out = io.BytesIO()
    writer = Writer(out)
    writer.section(b"ROWS", bytes(rows))
    writer.section(b"GRUP", GroupHeader("F32", 21, 21, 0, 1.0, np.nan, header).pack())
    writer.profile(hashlib.sha256(profile).digest())
    writer.index.tensors = [index.TensorEntry("x", "F32", (21, 13), 0)]
    writer.finish()
    return out.getvalue()


# --- faulty files -------------------------------------------------------------------------------


def with_prefix(header: GroupHeader) -> GroupHeader:
    """Take the first token of each sample for a prefix; a slab is a sample then."""
    header = lossy(prefix=1, grid=(16,), parts=header.lossy.parts * 2)(header)
    return replace(header, slabs=9, slabs_per_row_group=3)


def with_blocks(header: GroupHeader) -> GroupHeader:
    """Make blocks of two tokens, as long as slabs stay what they are."""
    (part,) = header.lossy.parts
    model = replace(part.model, block=(1, 2), scales=b"")
    return lossy(parts=(replace(part, model=model),))(header)


def damage(field: int) -> Callable[[list[bytes]], None]:
    """Change the low bits of the last word of a field of ROWS."""

    def change(fields: list[bytes]) -> None:
        whole = bytearray(fields[field])
        whole[-3] ^= 0x55
        fields[field] = bytes(whole)

    return change


def faulty_files(least: bytes) -> Iterator[Vector]:
    maps, tokens = sound("100-network-cnn"), sound("101-network-and-rest")

    def no_latents(fields: list[bytes]) -> None:
        fields[3] = b""

    cases = {
        "network-coding-1": (
            "pictures in a group of coding 1",
            rewrite(maps, lossy(neural=False)),
        ),
        "network-no-profile": ("coding 2 without a profile", rewrite(maps, lossy(profile=None))),
        "network-prefix": ("coding 2 with prefix tokens", rewrite(tokens, with_prefix)),
        "network-grid": (
            "coding 2 with the lengths of a grid",
            rewrite(tokens, lossy(grid=(17,))),
        ),
        "network-blocks": ("coding 2 with blocks of two tokens", rewrite(maps, with_blocks)),
        "network-hyper-latents": (
            "resealed damage to hyper-latents",
            rewrite(maps, rows=damage(2)),
        ),
        "network-latents": ("resealed damage to latents", rewrite(maps, rows=damage(3))),
        "network-no-latents": ("a picture without latents", rewrite(maps, rows=no_latents)),
    }
    for name, (reason, data) in cases.items():
        yield fault(name, reason, data, "network.fcp")
    yield fault(
        "network-of-none",
        "coding 2 with a profile that has no network",
        rewrite(maps, profile=stored("digits.fcp")),
        "digits.fcp",
    )
    yield fault(
        "network-hyper-too-large",
        "a hyper-latent of 4097",
        picture(least, LARGEST + 1),
        "least.fcp",
    )


def faulty_networks() -> dict[str, tuple[str, Tensors]]:
    """Return name -> (reason, tensors). But for the shift, they give the sound table numbers."""
    whole = least_network()
    bias, gain = whole["hyper_synthesis.0.bias"], whole["gain"]
    beyond = bias - np.array([0, 1])
    more = {f"{name}.weight": np.zeros((1,) * 4, "f2") for name in ("synthesis.1", "analysis.1")}
    return {
        "network-inexact": (
            "a hyper-synthesis that reaches 2^53",
            whole | {"hyper_synthesis.0.bias": beyond},
        ),
        "network-not-finite": (
            "a gain that is not finite, of use to the encoder alone",
            whole | {"gain": np.array([[np.nan], [1]], "f2")},
        ),
        "network-no-gain": (
            "a network without gains",
            {name: tensor for name, tensor in whole.items() if name != "gain"},
        ),
        "network-shape": ("a tensor of another rank", whole | {"gain": gain.reshape(2, 1, 1)}),
        "network-type": (
            "a tensor of another type",
            whole | {"coarsest_step": whole["coarsest_step"].astype("f2")},
        ),
        "network-shift": (
            "a shift of 41",
            whole | {"hyper_synthesis.shift": np.array([10, 6, 41], "u1")},
        ),
        "network-tables": (
            "a byte too many behind tables",
            whole | {"hyper_tables": np.append(whole["hyper_tables"], np.uint8(0))},
        ),
        "network-stages": ("weights of a stage that is none", whole | more),
    }
