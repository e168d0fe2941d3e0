"""Dependent quantisation: paths that decoders can follow, near the best, in fewer bits."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.coding.parts.dependent import DependentCoder
from featcodec.container.reader import Reader
from featcodec.entropy import dependent_family as family
from featcodec.entropy import symbols as coded_symbols
from featcodec.entropy.tables import Table, bits
from featcodec.quantise import dependent
from featcodec.quantise.dependent import Levels, Registers
from featcodec.transform.linear import Linear

from . import internals

COUNTS = st.sampled_from([0, 1, 2, 63, 64, 127, 128, 129, 1000, 4095, 4096, 4097, 9999])
SIZES = st.floats(0.01, 1000)


def levels(number: int, trade: float = dependent.LAMBDA) -> Levels:
    tables = [family.table(family.number(number, q)) for q in (0, 1)]
    return Levels.of([bits(t) for t in tables], [(0.0, *t.offsets) for t in tables], trade)


def laplace(count: int, scale: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).laplace(scale=scale, size=count).astype(np.float32)


@given(COUNTS)
def test_chains_hold_all_symbols_in_few_steps(count: int) -> None:
    stages, length = dependent.chains(count)
    assert (stages - 1) * length < max(count, 1) <= max(stages, 1) * length
    assert stages <= dependent.MOST_STAGES
    assert stages <= max(count // dependent.CHAINS, 1)


@given(COUNTS, SIZES)
def test_the_quantisers_of_a_path_follow_from_its_symbols(count: int, scale: float) -> None:
    found, second, _ = dependent.quantise(laplace(count, scale), 1.0, [(count, levels(8))])
    _, length = dependent.chains(count)
    registers = Registers(length)
    for start in range(0, count, length):
        stop = min(start + length, count)
        assert np.array_equal(second[start:stop], registers.quantiser[: stop - start])
        if stop - start == length:
            registers.learn(found[start:stop])


def test_quantisers_change_as_the_specification_says() -> None:
    parities = np.random.default_rng(1).integers(0, 2, 50)
    registers, expected = Registers(1), []
    for t, parity in enumerate(parities):
        q = [0, *expected]
        before = q[t] if t else 0
        older = parities[t - 2] if t > 1 else 0
        expected.append(before ^ older ^ (q[t - 2] if t > 2 else 0))
        assert registers.quantiser[0] == expected[t]
        registers.learn(np.array([parity]))


@pytest.mark.long
@pytest.mark.parametrize("scale", [0.3, 1, 4])
def test_a_path_costs_as_little_as_the_best_of_all(scale: float) -> None:
    """Six symbols of one chain, three candidates each, all combinations tried."""
    some = levels(10)
    tables = [family.table(family.number(10, q)) for q in (0, 1)]

    def cost(latents: np.ndarray, path: tuple[int, ...]) -> float:
        registers, total = Registers(1), 0.0
        for y, k in zip(latents, path, strict=True):
            q = int(registers.quantiser[0])
            table, m = tables[q], abs(k)
            first, further = table.offsets
            value = m and m - q / 2 + (first if m == 1 else further)
            rate = bits(table)[[table.magnitude - m, table.magnitude + m]].mean()
            total += (abs(y) - value) ** 2 + dependent.LAMBDA * rate
            registers.learn(np.array([k]))
        return total

    for seed in range(5):
        columns = np.tile(laplace(6, scale, seed)[:, None], (1, 64))
        assert dependent.chains(columns.size) == columns.shape
        found, _, _ = dependent.quantise(columns.reshape(-1), 1.0, [(columns.size, some)])
        latents = columns[:, 0]
        near = [sorted({0, 1, *range(max(int(abs(y)) - 1, 0), int(abs(y)) + 3)}) for y in latents]
        best = min(cost(latents, path) for path in itertools.product(*near))
        ours = cost(latents, tuple(np.abs(found.reshape(columns.shape)[:, 0])))
        assert best - 1e-6 <= ours <= best + 6 * 2 / dependent.BINS


@settings(max_examples=50)
@given(st.integers(1, 3), st.integers(1, 300), st.integers(-30, 60), st.booleans(), st.data())
def test_latents_come_back_with_the_error_that_was_stated(
    channels: int, blocks: int, scale: int, wide: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(channels + blocks)
    spread = data.draw(st.integers(0, 40))
    scales = scale + rng.integers(-spread, spread + 1, (channels, 4))
    own = {
        family.number(n, q): Table(1 + n, 0, 100, 120, (130,), *rng.integers(0, 256, 2).tolist())
        for n, q in data.draw(st.sets(st.tuples(st.integers(4, 20), st.integers(0, 1))))
    }
    dtype = "float64" if wide else "float32"
    transform = Linear(np.zeros(channels), None, dtype)
    coder = DependentCoder(transform, scales, own, 1.0, 0, dtype)
    latents = rng.laplace(size=(channels, 4, blocks)) * 2.0 ** (scales[:, :, None] / 4)
    latents = latents.astype(dtype)
    coded, error = coder.encode_latents(latents, (4,))
    packed = coded_symbols.encode([(k, coder.table(number)) for number, k in coded])
    decoder = coded_symbols.SymbolDecoder(packed)
    back = transform.forward(coder.decode(decoder.take, (4,), blocks), (4,))
    decoder.end()
    squared = np.square(back.astype(np.float64) - latents).sum()
    precision = np.finfo(dtype).eps * np.abs(latents).max()
    np.testing.assert_allclose(error, squared, rtol=1e-3, atol=9 * precision * back.size)
    # No latent errs by more than what a symbol of twice the wanted parity would cost.
    assert np.abs(back - latents).max() < 4 * (dependent.RATIO + precision)


def test_tables_of_quantisers_are_not_empty() -> None:
    own = {family.number(5, 1): Table(0)}
    with pytest.raises(ValueError, match="empty table"):
        DependentCoder(Linear(np.zeros(1), None, "float32"), np.zeros((1, 1)), own, 1, 0, "float32")


@pytest.mark.parametrize("snr", [5, 10, 20, 30])
@pytest.mark.parametrize("with_profile", [False, True])
def test_it_shortens_a_file(digits: Path, profile: Profile, snr: float, with_profile: bool) -> None:
    tensors = {"x": load_file(digits / "cnn_eval.safetensors")["features"]}
    known = profile if with_profile else None

    def saved() -> bytes:
        return fc.save(tensors, {"layout": "NCHW"}, profile=known, snr=snr, transform="linear")

    ours = saved()
    reader = Reader(io.BytesIO(ours), "file")
    assert reader.groups()[0].lossy.dependent
    with internals.without_trellis():
        assert len(ours) < 0.98 * len(saved())
    back = fc.load(ours, profile=known)["x"].astype(np.float64)
    wanted = tensors["x"].astype(np.float64)
    assert 10 * np.log10(wanted.var() / np.square(back - wanted).mean()) > snr - 0.01
