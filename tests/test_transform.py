"""The linear transform keeps sums of squares, whatever its integers are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from featcodec.quantise.scalar import PLAIN, dequantise, quantise
from featcodec.transform import dct, householder
from featcodec.transform.linear import Linear, principal_axes


@given(st.integers(1, 12), st.data())
def test_any_integer_reflectors_make_an_orthonormal_basis(channels: int, data: st.DataObject):
    count = data.draw(st.integers(0, channels))
    values = hnp.arrays(np.int64, (channels, count), elements=st.integers(-9, 9))
    vectors = np.tril(data.draw(values))
    basis = householder.basis(vectors, channels)
    np.testing.assert_allclose(basis.T @ basis, np.eye(channels), atol=1e-9)
    applied = np.eye(channels)
    for v in vectors.T[::-1].astype(float):
        applied -= np.outer(v, 2 / max(v @ v, 1e-9) * (v @ applied)) if v.any() else 0
    np.testing.assert_allclose(basis, applied, atol=1e-9)
    flat = householder.pack(vectors)
    assert len(flat) == householder.packed_length(channels, count)
    np.testing.assert_array_equal(householder.unpack(flat, channels, count), vectors)


def test_coarse_reflectors_come_close_to_the_axes_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4000, 24)) @ rng.normal(size=(24, 24))
    _, axes = principal_axes(np.cov(mixed.T))
    basis = householder.basis(householder.factor(axes, 23, 64.0), 24)
    np.testing.assert_allclose(np.abs((basis * axes).sum(axis=0)), 1, atol=1e-3)


def test_the_dct_is_orthonormal() -> None:
    for sizes in [(1,), (16,), (7, 7), (4, 8, 8)]:
        points = int(np.prod(sizes))
        full = dct.forward(np.eye(points)[None], sizes)[0]
        np.testing.assert_allclose(full @ full.T, np.eye(points), atol=1e-12)
        np.testing.assert_allclose(dct.inverse(full[None], sizes)[0], np.eye(points), atol=1e-12)


@given(st.integers(1, 6), st.sampled_from([(), (1,), (5,), (2, 3)]), st.integers(1, 9))
def test_the_linear_transform_keeps_energy_and_has_an_inverse(
    channels: int, sizes: tuple, blocks: int
):
    rng = np.random.default_rng(channels)
    vectors = np.tril(rng.integers(-5, 6, (channels, channels)))
    transform = Linear(np.zeros(channels), householder.basis(vectors, channels), "float64")
    values = rng.normal(size=(channels, int(np.prod(sizes)), blocks))
    latents = transform.forward(values.copy(), sizes)
    np.testing.assert_allclose((latents**2).sum(), (values**2).sum())
    np.testing.assert_allclose(transform.inverse(latents, sizes), values, atol=1e-9)


@given(
    hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(-1e5, 1e5)), st.floats(1e-3, 9)
)
def test_rounding_to_the_nearest_errs_by_half_a_step_at_most(
    latents: np.ndarray, step: float
) -> None:
    symbols = quantise(latents, step, PLAIN)
    back = dequantise(symbols, step, (0.0, 0.0), "float64")
    assert (np.abs(back - latents) <= step / 2 * (1 + 1e-9)).all()
    assert (np.sign(symbols) * np.sign(latents) >= 0).all()
