"""Groups whose elements become one of few at an SNR, and are coded as they are then."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.cli.main import main
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.encoding import dump, tuning
from featcodec.encoding.brief import above, below, stated_snr
from featcodec.encoding.levels import Ordered, levels_for
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.encoding.tensors.samples import Samples
from featcodec.numpy import Arrays
from featcodec.request import Options, Quality
from featcodec.verification import verify

NUMBERS = st.floats(-1e30, 1e30, allow_subnormal=False)


def text_map(seed: int, rows: int = 72, columns: int = 120) -> np.ndarray:
    """Return probabilities that rectangles are text: nearly all about 0 or 1, rows much alike."""
    rng = np.random.default_rng(seed)
    logits = np.full((rows, columns), -14.0)
    for top in range(4, rows - 12, 16):
        edges = np.sort(rng.choice(columns, 6, replace=False))
        for left, right in edges.reshape(-1, 2):
            logits[top : top + 9, left:right] = 14
            logits[top : top + 9, left] = rng.normal(0, 2, 9)
    logits += rng.normal(0, 1.5, logits.shape)
    return np.float32(1 / (1 + np.exp(-logits)))


def heads(seed: int) -> np.ndarray:
    """Return attention maps (heads, rows, columns) of a few large values, one head far fainter."""
    maps = np.stack([text_map(seed + i, 36, 60) for i in range(4)])
    maps[2] *= 0.2
    return maps


def snr(x: np.ndarray, y: np.ndarray) -> float:
    x = x.astype(np.float64)
    error = float(np.square(x - y).mean())
    return 10 * math.log10(x.var() / error) if error else math.inf


def encoded(arrays: dict[str, np.ndarray], quality: Quality, **options: Any) -> bytes:
    out = io.BytesIO()
    stored = Arrays({name: (x, "F32") for name, x in arrays.items()}, None)
    dump.encode(stored, out, quality, options=Options(**options))
    verify(stored, Memory(out.getvalue()), quality)
    return out.getvalue()


def test_a_map_of_probabilities_takes_fewer_bytes_by_levels_than_by_models() -> None:
    arrays, quality = {"map": text_map(1)}, Quality(snr=20)
    packed = encoded(arrays, quality)
    (group,) = Reader(Memory(packed), "f").groups()
    assert group.lossy is None and not group.exact
    for family in ("linear", "context"):
        assert len(packed) < 0.9 * len(encoded(arrays, quality, transform=family))


def test_values_of_a_gate_take_fewer_bytes_by_many_levels_than_by_models() -> None:
    """Half of them lie close below zero, and a few far above: no model has such a shape."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.3, 1.5, 160) * np.exp(rng.normal(0, 0.5, (150, 1)))
    before = rng.normal(size=spread.shape) * spread - 0.7
    x = np.float32(before / (1 + np.exp(-1.702 * before)))
    packed = encoded({"gate": x}, Quality(snr=40))
    (group,) = Reader(Memory(packed), "f").groups()
    assert group.lossy is None and not group.exact
    for family in ("linear", "none"):
        assert len(packed) < 0.95 * len(encoded({"gate": x}, Quality(snr=40), transform=family))


@pytest.mark.parametrize("snr", [20.0, 30.0])
def test_states_that_saturate_take_fewer_bytes_by_levels_or_contexts_than_by_a_basis(
    snr: float,
) -> None:
    """Most lie near 1 and -1: no basis keeps that, and tables of a model have no such shape."""
    states = np.tanh(3 * np.random.default_rng(0).normal(size=(600, 64))).astype("f4")
    size = len(encoded({"states": states}, Quality(snr=snr)))
    assert size < 0.9 * len(encoded({"states": states}, Quality(snr=snr), transform="linear"))
    assert size < 0.9 * len(encoded({"states": states}, Quality(snr=snr), transform="none"))


def padded_states(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states (count, 10, 48) of words that begin alike, and how long each word is."""
    rng = np.random.default_rng(3)
    inner, letters = 0.35 * rng.normal(size=(48, 48)), 1.5 * rng.normal(size=(5, 48))
    lengths = rng.integers(2, 10, count)
    words, state = rng.integers(5, size=(count, 10)), np.zeros((count, 48))
    padded = np.zeros((count, 10, 48), "f4")
    for t in range(10):
        state = np.tanh(state @ inner + letters[words[:, t]])
        padded[:, t] = np.where(t < lengths[:, None], state, 0)
    return padded, lengths


@pytest.mark.parametrize("snr", [pytest.param(10.0, marks=pytest.mark.long), 20.0])
def test_states_of_prefixes_take_no_more_padded_than_one_after_the_other(snr: float) -> None:
    """Such states repeat along time and not along channels."""
    padded, lengths = padded_states(250)
    packed = encoded({"states": padded}, Quality(snr=snr))
    assert not fc.load(packed)["states"][padded == 0].any()
    kept = np.concatenate([x[:length] for x, length in zip(padded, lengths, strict=True)])
    apart = len(encoded({"states": kept}, Quality(snr=snr)))
    assert len(packed) < 1.03 * apart + 3 * len(padded)  # which says how long they are


@pytest.mark.long
def test_padding_between_levels_is_decoded_by_the_reference_decoder_too() -> None:
    packed = encoded({"states": padded_states(120)[0]}, Quality(snr=30))
    (group,) = Reader(Memory(packed), "f").groups()
    assert group.lossy is None and group.repeats is not None and group.repeats.constants
    theirs = np.frombuffer(reference.decode(packed).tensors["states"].data, "<f4")
    assert np.array_equal(theirs, fc.load(packed)["states"].reshape(-1))


@pytest.mark.parametrize("snr", [5.0, 30.0])
def test_levels_are_tried_however_badly_models_do(snr: float) -> None:
    """A model that a sample misjudges may take a hundred times the bits that it promises."""
    x = text_map(1, 720, 480)
    [group] = group_tensors(Arrays({"x": (x, "F32")}, None), Options(), lossless=False)
    assert isinstance(group, Group)
    assert group.values > tuning.WRITTEN_VALUES
    assert bool(levels_for(Samples(group, Options().search), snr, most=x.nbytes))


@pytest.mark.long
def test_what_levels_reach_is_what_is_stated_and_each_tensor_has_it() -> None:
    arrays, decibels = {"map": text_map(2), "other": 1 - text_map(3)}, 20.0
    packed = encoded(arrays, Quality(snr=decibels))
    decoded = fc.load(packed)
    groups = Reader(Memory(packed), "f").groups()
    assert any(group.lossy is None for group in groups)
    every = np.stack(list(arrays.values()))
    reached = snr(every, np.stack([decoded[name] for name in arrays]))
    assert reached >= decibels
    if len(groups) == 1:
        assert groups[0].snr_db == pytest.approx(reached, abs=0.005)
    for name, x in arrays.items():
        assert snr(x, decoded[name]) >= decibels - 1


@pytest.mark.long
def test_levels_are_decoded_by_the_reference_decoder_too() -> None:
    packed = encoded({"map": text_map(4)}, Quality(snr=20))
    dumped = reference.decode(packed)
    ours = fc.load(packed)["map"]
    theirs = np.frombuffer(dumped.tensors["map"].data, "<f4").reshape(ours.shape)
    assert np.array_equal(ours, theirs) and len(np.unique(ours)) < 20


@pytest.mark.long
def test_each_head_keeps_its_snr_where_elements_become_levels() -> None:
    x = heads(5)
    packed = encoded({"maps": x}, Quality(snr=10), layouts={"": "KHW"})
    y = fc.load(packed)["maps"]
    assert all(snr(a, b) >= 9 for a, b in zip(x, y, strict=True))


@pytest.mark.long
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_values_that_are_no_numbers_stay_as_they_are(odd: float) -> None:
    x = text_map(6)
    x[5, 7] = odd
    y = fc.load(encoded({"map": x}, Quality(snr=20)))["map"]
    assert np.array_equal(np.isfinite(x), np.isfinite(y))
    assert np.array_equal(x[5, 7], y[5, 7], equal_nan=True)


@pytest.mark.long
def test_a_map_by_levels_is_verified_and_said_to_be_rounded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "map.safetensors", tmp_path / "map.fcz"
    save_file({"map": text_map(7)}, source)
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["encode", str(source), "-o", str(target), "--snr", "20", "--verify", "-v"])
    assert "rounded" in capsys.readouterr().err


@pytest.mark.long
@given(st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=40), st.floats(0.05, 4))
def test_the_error_of_levels_is_that_of_the_elements(numbers: list[float], step: float) -> None:
    values = np.float32(numbers)
    for rounding in (0.5, 1 / 3):
        found = Ordered.of("F32", values).levels(step, rounding)
        if found is None:
            continue
        levels, error = found
        rounded = levels.of(values.view("<u4")).view("<f4").astype(np.float64)
        assert float(np.square(values - rounded).sum()) == pytest.approx(error, abs=1e-6)
        assert len(levels.elements) == len(np.unique(levels.of(values.view("<u4")))) or step < 0.5


@given(NUMBERS)
def test_bounds_in_few_bytes_hold_what_they_bound(value: float) -> None:
    assert below(value) <= value <= above(value)
    assert above(value) - below(value) <= 2**-11 * abs(value)


@given(st.floats(0.1, 60), st.floats(0, 1))
def test_an_snr_in_few_bytes_is_reached_and_no_lower_than_asked_for(
    asked: float, more: float
) -> None:
    stated = stated_snr(asked + more, asked)
    assert asked <= stated <= asked + more and asked + more - stated <= 1 / 256


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("snr", [6.0, 10.0])
def test_rows_that_are_constant_count_in_the_snr_of_values_that_are_rounded(
    seed: int, snr: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, 2, 14))
    x /= 1 + np.exp(-1.7 * x)
    x[:2] = x[0, 0, 0]
    x[2:][np.random.default_rng(seed).random((3, 2, 14)) < 0.3] = 0
    data = encoded({"x": x.astype("f4")}, Quality(snr=snr))  # which is verified
    [header] = Reader(io.BytesIO(data), "x").groups()
    assert header.lossy is None and not header.exact


@pytest.mark.parametrize("quality", [Quality(snr=60), Quality(max_error=1e-9)], ids=str)
def test_where_no_value_errs_zeros_keep_their_signs(quality: Quality) -> None:
    """Such a group states that it is kept bit for bit, and is."""
    x = np.rint(np.random.default_rng(0).normal(size=(3, 5, 16)) * 3).astype("f4")
    x[0] = np.where(x[0] == 0, -0.0, x[0])
    data = encoded({"x": x}, quality)
    assert fc.load(data)["x"].tobytes() == x.tobytes()
    assert all(header.exact for header in Reader(io.BytesIO(data), "x").groups())
