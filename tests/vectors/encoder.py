"""Vectors that an encoder makes of features."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import numpy as np

import featcodec.numpy as fc
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader

from .. import internals
from .features import digits, waves, with_odd_values
from .store import VECTORS, Vector, valid

PER = 1 << 12  # values of a row group, so that small vectors have several

Tensors = dict[str, np.ndarray]
NCHW, NLD, NDL = ({"layout": axes} for axes in ("NCHW", "NLD", "NDL"))


@dataclass(frozen=True)
class Encoded:
    """What is encoded, how, and what the first group of the file is to show."""

    tensors: Tensors
    metadata: dict[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)  # of `save`
    profile: str | None = None  # below VECTORS
    shows: Callable[[GroupHeader], bool] = lambda _: True
    dependent: bool | None = None  # always along a trellis, or never
    lossy: bool = False  # even where bit for bit is smaller

    def make(self) -> bytes:
        with ExitStack() as stack:
            stack.enter_context(internals.row_groups(PER))
            if self.dependent is not None:
                asked = internals.trellis_always if self.dependent else internals.without_trellis
                stack.enter_context(asked())
            if self.lossy:
                stack.enter_context(internals.lossy_always())
            known = None if self.profile is None else VECTORS / self.profile
            return fc.save(self.tensors, self.metadata, profile=known, **self.options)


def vector(name: str, made: Encoded) -> Vector:
    """Encode a vector; raise ValueError when the file does not show what it is to show."""
    data = made.make()
    if not shows(made, data):
        raise ValueError(f"{name}: what the encoder makes shows no longer what it is to show")
    return valid(name, data, *filter(None, [made.profile]))


def shows(made: Encoded, data: bytes) -> bool:
    groups = Reader(BytesIO(data), "vector").groups()
    return not groups or made.shows(groups[0])


def has_exceptions(header: GroupHeader) -> bool:
    return header.lossy.clipped > 0


def is_clamped(header: GroupHeader) -> bool:
    return header.lossy.clamp


def is_corrected(header: GroupHeader) -> bool:
    return header.lossy.curve is not None


def is_dependent(header: GroupHeader) -> bool:
    return header.lossy.dependent


def repeats(header: GroupHeader) -> bool:
    return header.repeats is not None


def constant_channels(header: GroupHeader) -> bool:
    return header.lossy is not None and bool(header.lossy.constants)


def slices(header: GroupHeader) -> bool:
    return header.lossy is not None and header.lossy.slices is not None


def gains(header: GroupHeader) -> bool:
    return header.lossy is not None and header.lossy.gains


def constants(header: GroupHeader) -> bool:
    return header.repeats is not None and bool(header.repeats.constants)


def mode(*names: str) -> Callable[[GroupHeader], bool]:
    """Return whether a group is coded in one of some modes."""
    return lambda header: header.lossy is not None and header.lossy.transform in names


def encoded() -> dict[str, Encoded]:
    """Return name -> vector; their profiles have to be there."""
    found = _plain() | _lossless() | _narrow() | _networks() | _maps() | _bounded() | _dependent()
    scalar = {name: replace(made, dependent=False) for name, made in found.items() if name < "170"}
    found |= scalar | _repeated() | _refined() | _cut() | _of_task() | _weak() | _layers()
    return found | _stacks()


def _of_task() -> dict[str, Encoded]:
    """In the metric of the profile `task.fcp`; the third with dependent quantisation."""
    cnn, vit = digits("cnn", 10), digits("vit", 9)
    task, weighted = "task.fcp", mode("weighted")
    odd = digits("vit", 12).astype(np.float64)
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 3, 4], odd[3, 4, 5] = np.nan, np.inf, -np.inf, -900
    on_grid = NLD | {"prefix_tokens": "1", "grid": "4x4"}
    maps, tokens, more = {"features": cnn}, {"features": odd}, {"features": vit}
    return {
        "250-task-maps": Encoded(maps, NCHW, {"task_snr": 9}, task, weighted),
        "251-task-tokens": Encoded(tokens, on_grid, {"task_snr": 6}, task, weighted),
        "252-task-trellis": Encoded(more, on_grid, {"task_snr": 14}, task, weighted, True),
    }


def _plain() -> dict[str, Encoded]:
    rng = np.random.default_rng(1)
    cnn, vit = digits("cnn", 12).astype(np.float32), digits("vit", 10)
    odd = vit[:, 1:].astype(np.float64)
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 3, 4], odd[3, 4, 5] = np.nan, np.inf, -np.inf, -900
    steps = np.cumsum(rng.normal(size=(60, 12)), axis=0).astype(np.float32)
    lines = {f"line_{i:02}": s for i, s in enumerate(np.split(steps, [1, 4, 21, 40]))}
    blocks = np.cumsum(rng.normal(size=(2, 3, 21, 19)), axis=2).astype(np.float32)
    volume = np.cumsum(rng.normal(size=(2, 2, 5, 9, 10)), axis=3).astype(np.float16)
    thresholded = {"relu": np.maximum(cnn[:, :8] - 0.5, 0)}
    relu = {"relu": np.maximum(digits("cnn", 40)[:, :16], 0)}
    maps, tokens, odd_tokens = {"features": cnn}, {"features": vit}, {"features": odd}
    none, linear = {"snr": 12, "transform": "none"}, {"snr": 5, "transform": "linear"}
    ours = "digits.fcp"
    return {
        "001-cnn-map": Encoded(maps, NCHW | {"model": "digits"}, {"snr": 10}),
        "002-vit-tokens": Encoded(tokens | {"labels": np.arange(10)}, None, {"snr": 15}),
        "003-profile-cnn": Encoded(maps, NCHW, {"snr": 8}, ours),
        "004-profile-vit": Encoded(tokens, NLD, {"snr": 12}, ours),
        "005-sentences": Encoded(lines, {"layout": "LD"}, {"snr": 20}),
        "006-no-transform": Encoded(thresholded, None, none, shows=mode("none")),
        "007-error-bound": Encoded(odd_tokens, None, {"max_error": 0.02}, shows=has_exceptions),
        "008-exceptions": Encoded(odd_tokens, None, {"snr": 9}, shows=has_exceptions),
        "009-fine": Encoded({"features": cnn[:6]}, None, {"snr": 80}),
        "011-no-tensors": Encoded({}, {"only": "metadata"}, {"snr": 10}),
        "012-partial-blocks": Encoded({"map": blocks}, NCHW, {"snr": 25}),
        "013-volume": Encoded({"x": volume}, {"layout": "NCTHW"}, {"snr": 18}),
        "014-profile-tables": Encoded({"features": digits("cnn", 100)}, NCHW, {"snr": 14}, ours),
        "015-clamped": Encoded(relu, NCHW, linear, shows=is_clamped),
        "017-worked-example": worked_example(),
    }


def worked_example() -> Encoded:
    """Return what the specification works through byte by byte."""
    features = ((3, -2.9), (-1, 1.2), (0.2, 0.1), (2.1, -2), (-4, 3.8), (1, -1.3), (5.2, -5))
    features += ((-2, 2.2),)
    tensors = {"features": np.array(features, np.float32)}
    tensors["labels"] = np.array((3, 1, 1, 2, 0, 1, 3, 0), np.uint8)
    return Encoded(tensors, {"layout": "ND"}, {"snr": 25, "transform": "linear"}, lossy=True)


def _lossless() -> dict[str, Encoded]:
    """Bit for bit; of the vectors 140 on, elements are packed or coded by bins."""
    rng = np.random.default_rng(9)
    cnn, vit = digits("cnn", 40), digits("vit", 60)
    picture = np.cumsum(rng.normal(size=(3, 40, 30)), axis=2) * 3 + 90
    some = {
        "f16": vit[:3],
        "f32": cnn[:2].astype(np.float32),
        "i64": np.arange(-5, 300),
        "bool": rng.random((7, 9)) > 0.5,
        "u8": rng.integers(0, 9, 500).astype(np.uint8),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.array(3.5),
    }
    maps = {"relu": np.clip(cnn, 0, 1.5), "wide": np.maximum(cnn[:20], 0).astype(np.float32)}
    others = {
        "picture": picture.astype(np.uint8),
        "ids": np.tile(np.arange(256), 30),
        "double": np.cumsum(rng.normal(size=(150, 7)), axis=0),
    }
    exact = {"lossless": True}
    return {
        "010-lossless": Encoded(some, {"about": "all kinds"}, exact),
        "140-lossless-maps": Encoded(maps, None, exact),
        "141-lossless-tokens": Encoded({"x": vit.astype(np.float32) / 3}, None, exact),
        "142-lossless-others": Encoded(others, None, exact),
    }


def _narrow() -> dict[str, Encoded]:
    """Features of types that NumPy lacks."""
    import ml_dtypes

    kinds = {
        "020-bf16": ml_dtypes.bfloat16,
        "020-f8-e4m3": ml_dtypes.float8_e4m3fn,
        "020-f8-e5m2": ml_dtypes.float8_e5m2,
    }
    return {
        name: Encoded({"features": digits("vit", 8).astype(kind)}, None, {"snr": 12})
        for name, kind in kinds.items()
    }


def _networks() -> dict[str, Encoded]:
    odd = digits("vit", 6).astype(np.float64)
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 3, 4], odd[3, 4, 5] = np.nan, np.inf, -np.inf, -900
    lines = {f"line_{i}": a[: 3 + 5 * i].astype(np.float32) for i, a in enumerate(digits("vit", 3))}
    maps = {"features": digits("cnn", 9), "labels": np.arange(9)}
    tokens = {"features": digits("vit", 9)}

    def coded(tensors: Tensors, metadata: dict[str, str], snr: float) -> Encoded:
        options = {"snr": snr, "transform": "neural"}
        return Encoded(tensors, metadata, options, "network.fcp", lambda h: h.lossy.neural)

    return {
        "100-network-cnn": coded(maps, NCHW, 4),
        "101-network-and-rest": coded(tokens, NLD, 20),
        "102-network-exceptions": coded({"features": odd}, NLD, 3),
        "103-network-sentences": coded(lines, {"layout": "LD"}, 5),
    }


def _maps() -> dict[str, Encoded]:
    """Bands, correction curves, and context modelling."""
    cnn, vit = digits("cnn", 60).astype(np.float32), digits("vit", 60)
    smooth = np.random.default_rng(2).normal(size=(2, 3, 21, 18)).cumsum(2).cumsum(3)
    blocks = np.maximum(smooth - 4, 0).astype(np.float32)
    odd = with_odd_values(np.maximum(cnn[:20, :6], 0), (np.nan, np.inf, 900))
    silu = vit / (1 + np.exp(-2 * vit.astype(np.float64)))
    silu[0, 0, 0], silu[1, 2, 3], silu[2, 3, 4] = np.nan, np.inf, -900

    def coded(
        array: np.ndarray, metadata: dict[str, str], snr: float, transform: str, **more: Any
    ) -> Encoded:
        return Encoded({"x": array}, metadata, {"snr": snr, "transform": transform}, **more)

    banded, curve = {"shows": mode("banded")}, {"shows": is_corrected}
    context = {"shows": mode("context", "context-means")}
    means = {"shows": mode("context-means")}
    sparse = np.maximum(np.random.default_rng(3).normal(size=(4, 8, 40, 40)).cumsum(3), 0)
    sparse = sparse.astype(np.float16)
    chance = np.random.default_rng(4)
    weak = chance.gamma(0.3, size=(120, 8, 1, 1)) * chance.normal(size=(120, 8, 8, 8))
    weak = np.maximum(weak, 0).astype(np.float32)
    lines, volume = sparse[:, :, 0].reshape(4, 8, 40), sparse[:2, :2, :6].reshape(2, 2, 6, 4, 10)
    of_vit = NLD | {"prefix_tokens": "1", "grid": "4,4"}
    return {
        "120-banded-own": coded(vit[:80], NLD, 10, "auto", **banded),
        "121-banded-profile": coded(vit[:10], NLD, 12, "auto", profile="banded.fcp", **banded),
        "122-banded-cut": coded(waves((2, 5, 21, 18)), NCHW, 25, "auto", **banded),
        "150-curve-relu": coded(np.maximum(cnn[:, :16], 0), NCHW, 8, "linear", **curve),
        "151-curve-silu-exceptions": coded(silu.astype(np.float16), of_vit, 8, "linear", **curve),
        "160-restored-relu": coded(np.maximum(cnn[:, :24], 0), NCHW, 12, "context", **context),
        "161-restored-signed": coded(cnn[:12], NCHW, 9, "context", **context),
        "162-restored-exceptions": coded(odd, NCHW, 15, "context", **context),
        "163-restored-blocks": coded(blocks, NCHW, 25, "context", **context),
        "200-shapes-maps": coded(sparse, NCHW, 25, "context", **context),
        "201-shapes-lines": coded(lines, {"layout": "NCL"}, 15, "context", **context),
        "342-means-maps": coded(weak, NCHW, 7, "context", **means),
        "343-means-lines": coded(
            weak.reshape(120, 8, 64), {"layout": "NCL"}, 7, "context", **means
        ),
        "344-means-blocks": coded(
            weak.reshape(12, 10, 8, 8, 8).transpose(0, 2, 3, 1, 4).reshape(12, 8, 8, 80),
            NCHW,
            8,
            "context",
            **means,
        ),
        "202-shapes-volume": coded(volume, {"layout": "NCTHW"}, 15, "context", **context),
    }


def _bounded() -> dict[str, Encoded]:
    rng = np.random.default_rng(11)
    mixed = np.einsum("nchw,dc->ndhw", waves((30, 6, 7, 6)), rng.normal(size=(6, 6)))
    odd = with_odd_values(mixed[:20], (np.nan, np.inf, 9e5))
    sparse = np.maximum(np.cumsum(rng.normal(size=(24, 3, 2, 9, 8)), axis=4), 0).astype(np.float32)
    on_grid = NLD | {"prefix_tokens": "1", "grid": "4x4"}

    def coded(array: np.ndarray, metadata: dict[str, str], bound: float, name: str) -> Encoded:
        return Encoded({"x": array}, metadata, {"max_error": bound}, shows=mode(name))

    return {
        "130-predicted-map": coded(mixed, NCHW, 0.1, "predicted"),
        "131-predicted-tokens": coded(digits("vit", 30), on_grid, 0.05, "predicted"),
        "132-predicted-lines": coded(waves((12, 5, 22, 1))[..., 0], NDL, 0.05, "predicted"),
        "133-predicted-exceptions": coded(odd, NCHW, 0.01, "predicted"),
        "134-split-peak": coded(np.minimum(sparse, 2)[:, :, 0], NCHW, 0.001, "split"),
        "135-split-volume": coded(sparse, {"layout": "NCTHW"}, 0.005, "split"),
    }


def _dependent() -> dict[str, Encoded]:
    """So few values may be fewer bits with scalar quantisation, so that it is asked for."""
    cnn = digits("cnn", 100)
    odd = with_odd_values(cnn[:12], (np.nan, np.inf, 900))
    kept = with_odd_values(np.maximum(cnn[:40], 0), (np.nan, np.inf, 900))
    maps = np.random.default_rng(3).normal(size=(2, 6, 21, 19)).cumsum(2).cumsum(3)
    relu = np.maximum(maps, 0).astype(np.float32)
    signed = (maps * (np.abs(maps) > 2)).astype(np.float32)
    trained = "dependent.fcp"

    def coded(
        array: np.ndarray,
        metadata: dict[str, str],
        snr: float,
        transform: str = "linear",
        profile: str | None = None,
    ) -> Encoded:
        options = {"snr": snr, "transform": transform}
        return Encoded({"x": array}, metadata, options, profile, is_dependent, dependent=True)

    return {
        "170-dependent-own": coded(digits("vit", 40), NLD, 10),
        "171-dependent-profile": coded(cnn[:20], NCHW, 12, profile=trained),
        "172-dependent-cut": coded(maps.astype(np.float32), NCHW, 30),
        "173-dependent-exceptions": coded(odd, NCHW, 20),
        "175-dependent-tables": coded(cnn, NCHW, 14, profile=trained),
        "180-dependent-maps-relu": coded(relu, NCHW, 20, "context"),
        "181-dependent-maps-signed": coded(signed, NCHW, 15, "context"),
        "182-dependent-maps-exceptions": coded(kept, NCHW, 26, "context"),
    }


def _repeated() -> dict[str, Encoded]:
    """Rows that repeat earlier ones: in a tensor, across tensors, and whole samples."""
    rng = np.random.default_rng(12)
    vit, cnn = digits("vit", 24), digits("cnn", 30).astype(np.float32)
    tokens = vit[:6].reshape(-1, vit.shape[2])
    often = np.sort(rng.integers(0, len(tokens), (3, 90)))
    spoken = {f"line_{i}": tokens[some].T.copy() for i, some in enumerate(often)}
    copies = np.sort(rng.integers(0, 24, 40))
    odd = vit.copy()
    odd[3, 4, 5], odd[6, 7, 8] = np.nan, 900
    on_grid = NLD | {"prefix_tokens": "1", "grid": "4x4"}
    lines = {"a": vit[:8], "b": np.concatenate([vit[2:5], vit[8:12]]), "c": vit[:8, 3:14].copy()}
    maps = {"features": cnn[:, :8][rng.integers(0, 30, 48)]}
    exact = {"lossless": True}
    ids = np.arange(40, dtype=np.int64) * 77
    whole = {"maps": maps["features"].astype(np.float16), "ids": np.tile(ids, (9, 1))}
    padded = {"x": vit[:8].copy(), "filled": vit[8:14].copy()}
    padded["x"][2, 9:] = padded["x"][3:5, 4:] = padded["filled"][5, 1] = 0
    padded["filled"][:3, 7:] = -1.5
    loud, lead = tokens.copy(), vit.copy()
    loud[::20] *= 90
    loud[40, 5] = np.inf
    lead[:, 0] *= 64
    dead = cnn[:12].copy()
    dead[:, 3], dead[:, 9] = 0, np.nan
    return {
        "190-repeated-tokens": Encoded(spoken, {"layout": "DL"}, {"snr": 15}, shows=repeats),
        "191-repeated-windows": Encoded(lines, {"layout": "NLD"}, {"snr": 10}, shows=repeats),
        "192-repeated-samples": Encoded(maps, NCHW, {"snr": 12}, shows=repeats),
        "193-repeated-prefix": Encoded({"x": odd[copies]}, on_grid, {"snr": 12}, shows=repeats),
        "194-repeated-bound": Encoded({"x": vit[copies]}, NLD, {"max_error": 0.05}, shows=repeats),
        "195-repeated-lossless": Encoded(whole, None, exact, shows=repeats),
        "196-repeated-profile": Encoded(
            {"x": vit[copies]}, NLD, {"snr": 12}, "digits.fcp", shows=repeats
        ),
        "270-constant-rows": Encoded(padded, {"layout": "NLD:0"}, {"snr": 12}, shows=constants),
        "271-constant-rows-lossless": Encoded(padded, None, exact, shows=constants),
        "273-gains": Encoded({"x": loud}, {"layout": "ND"}, {"snr": 12}, shows=gains),
        "274-gains-prefix": Encoded({"x": lead}, on_grid, {"snr": 12}, shows=gains),
        "272-constant-channels": Encoded({"x": dead}, NCHW, {"snr": 14}, shows=constant_channels),
    }


def _refined() -> dict[str, Encoded]:
    """Elements bit for bit: predicted and refined, and with numbers that were swapped."""
    rng = np.random.default_rng(13)
    mixed = np.einsum("nchw,dc->ndhw", waves((60, 6, 7, 7)), rng.normal(size=(6, 6)))
    odd = with_odd_values(mixed, (np.nan, -np.inf, 6e4)).astype(np.float16)
    odd[3, 2, 1, :3] = 0, -0.0, 6e-8
    logits = 3 * rng.normal(size=(1300, 3)) @ rng.normal(size=(3, 13))
    logits += rng.normal(size=logits.shape) / 8
    maps = np.maximum(rng.normal(size=(12, 32, 24)), 0) + rng.normal(size=(1, 32, 1))
    exact = {"lossless": True}

    again = mixed.astype(np.float16)[np.arange(70) % 50]

    def refined(logarithmic: bool) -> Callable[[GroupHeader], bool]:
        return lambda group: group.lossy is not None and group.lossy.logarithmic == logarithmic

    return {
        "210-refined-values": Encoded({"x": odd}, NCHW, exact, shows=refined(False)),
        "211-refined-logarithms": Encoded(
            {"x": np.exp(logits).astype(np.float32)}, {"layout": "LD"}, exact, shows=refined(True)
        ),
        "213-refined-repeats": Encoded({"x": again}, NCHW, exact, shows=refined_and(repeats)),
        "212-swapped": Encoded({"x": maps.astype(np.float16)}, None, exact, shows=swapped),
    }


def refined_and(other: Callable[[GroupHeader], bool]) -> Callable[[GroupHeader], bool]:
    """Return whether a group is refined and has something else."""
    return lambda group: group.lossy is not None and group.lossy.refined and other(group)


def swapped(group: GroupHeader) -> bool:
    return group.lossy is None


def _cut() -> dict[str, Encoded]:
    """Tensors in parts: indices of an axis, or lengths of the channels; and merged channels."""
    rng = np.random.default_rng(24)
    mixing = rng.normal(size=(3, 8, 8))
    heads = np.einsum("nhtc,hcd->nhtd", rng.normal(size=(2, 3, 40, 8)), mixing).astype(np.float32)
    layers = heads[0].transpose(1, 0, 2) * np.array([1, 8, 40], np.float32)[:, None]
    odd = layers.copy()
    odd[7, 1, 3], odd[9, 2, 0] = np.nan, 900
    joined = np.concatenate([heads[:, 0], 30 * heads[:, 1], np.zeros_like(heads[:, 0])], 2)
    tokens = digits("vit", 12)
    split = tokens.reshape(*tokens.shape[:2], 4, -1)
    on_grid = {"layout": "NLCD:1+4x4"}
    return {
        "240-cut-layers": Encoded({"h": odd}, {"ids": "none"}, {"snr": 15, "layout": "LKD"}),
        "241-cut-heads": Encoded({"kv": heads}, None, {"snr": 12, "layout": "NKLD"}),
        "242-cut-channels": Encoded({"x": joined}, None, {"snr": 20, "layout": "NLD/8+8+8"}),
        "243-merged-channels": Encoded({"kv": heads}, None, {"snr": 12, "layout": "NCLD"}),
        "246-merged-on-grid": Encoded({"x": split}, on_grid, {"snr": 12}),
    }


def _weak() -> dict[str, Encoded]:
    """Tensors, samples, and heads that are channels, some weaker than others of their group."""
    rng = np.random.default_rng(30)
    mixing = rng.normal(size=(4, 12))
    lines = [rng.normal(size=(30, 4)) @ mixing + rng.normal(size=(30, 12)) / 4 for _ in range(6)]
    scales = (1, 1.5, 0.6, 1, 0.7, 1.2)
    sentences = {f"s{i}": np.float32(a * x + 1) for i, (a, x) in enumerate(zip(scales, lines))}
    spoken = {name: np.repeat(x, 1 + np.arange(30) % 3, axis=0) for name, x in sentences.items()}
    heads = np.stack(list(sentences.values()))[None]
    odd = np.concatenate([heads, 0.8 * heads[:, ::-1]])
    odd[1, 3, 7, 2] = np.nan
    wide = np.concatenate([odd, odd[..., 3:7]], axis=3)
    mixing = rng.normal(size=(8, 32))
    loud = {f"s{i}": rng.normal(size=(60, 8)) @ mixing + rng.normal(size=32) for i in range(6)}
    loud = {name: (x * (1, 0.05)[name in "s1 s4"]).astype(np.float32) for name, x in loud.items()}
    for x in loud.values():
        x[0] *= 300
    return {
        "300-weak-tensors": Encoded(sentences, {"layout": "LD"}, {"snr": 12}, shows=slices),
        "301-weak-rows": Encoded(spoken, {"layout": "LD"}, {"snr": 12}, shows=slices),
        "302-weak-samples": Encoded({"kv": odd}, {"layout": "NNLD"}, {"snr": 12}, shows=slices),
        "303-weak-channels": Encoded({"kv": wide}, {"layout": "NCLD"}, {"snr": 15}, shows=slices),
        "304-weak-and-gains": Encoded(
            loud, {"layout": "LD"}, {"snr": 25}, shows=lambda group: slices(group) and gains(group)
        ),
    }


def _layers() -> dict[str, Encoded]:
    """Layers of which each adds to the one before it, as channels; of one scale, and of others."""
    rng = np.random.default_rng(34)
    mixing = rng.normal(size=(6, 20))
    steps = rng.normal(size=(2, 5, 90, 6)) * np.array([1, 0.3, 0.3, 0.2, 0.4])[:, None, None]
    noise = rng.normal(size=(2, 5, 90, 20)) / 20
    stream = ((steps.cumsum(axis=1) @ mixing) + noise).astype(np.float32)
    unlike = stream[0] * np.array([1, 5, 2, 9, 1], np.float32)[:, None, None]
    unlike[2, 8, 3] = np.nan

    def coded(tensor: np.ndarray, axes: str, snr: float) -> Encoded:
        return Encoded({"h": tensor}, {"layout": axes}, {"snr": snr}, shows=mode("layered"))

    return {
        "352-layers": coded(stream.transpose(0, 2, 1, 3), "NLCD", 15),
        "353-layers-first": coded(unlike, "CLD", 20),
    }


def _stacks() -> dict[str, Encoded]:
    """A tensor for each layer, of several samples, of unlike scales, and with prefix tokens."""
    rng = np.random.default_rng(36)
    mixing = rng.normal(size=(8, 24))

    def stream(tokens: int) -> np.ndarray:
        steps = rng.normal(size=(5, tokens, 8)) * np.array([1, 0.3, 0.3, 0.2, 0.4])[:, None, None]
        noise = rng.normal(size=(5, tokens, 24)) / 20
        return ((steps.cumsum(axis=0) @ mixing) + noise).astype(np.float32)

    one, pair = stream(150), (stream(75), stream(85))
    maps = stream(10 * 17).reshape(5, 10, 17, 24)
    unlike = one * np.array([1, 5, 2, 9, 1], np.float32)[:, None, None]
    unlike[2, 8, 3] = np.nan
    samples_first = {f"s{i}.layer_{j}": x[j] for i, x in enumerate(pair) for j in range(5)}
    layers_first = {f"layer_{j}.s{i}": x[j] for j in range(5) for i, x in enumerate(pair)}
    blocks = {f"block_{j}": x for j, x in enumerate(maps)}
    walk = rng.normal(size=(1, 180, 32)).cumsum(axis=1)
    walks = walk + rng.normal(size=(3, 1, 180, 32)).cumsum(axis=0) / 1000
    smooth = {f"layer_{j}": x.astype(np.float16) for j, x in enumerate(walks)}
    return {
        "360-stack": _stacked({f"layer_{j}": x for j, x in enumerate(unlike)}, "LD", 20),
        "361-stacks": _stacked(samples_first, "LD", 15),
        "362-stacks-apart": _stacked(layers_first, "LD", 15),
        "363-stack-with-prefix": _stacked(blocks, "NLD:1+4x4", 12),
        "364-stack-refined": replace(
            _stacked(smooth, "NLD", 80), shows=refined_and(lambda header: bool(header.lossy.stacks))
        ),
    }


def _stacked(tensors: Tensors, layout: str, snr: float) -> Encoded:
    return Encoded(
        tensors, {"layout": layout}, {"snr": snr}, shows=lambda header: bool(header.lossy.stacks)
    )
