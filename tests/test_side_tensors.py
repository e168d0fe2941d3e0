"""Floating tensors that are no features come back bit for bit beside features, by default."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.arrays import to_stored
from featcodec.container.reader import Reader
from featcodec.encoding.dump import encode
from featcodec.numpy import Arrays
from featcodec.request import Quality

TOKENS, CHANNELS = 150, 96
RNG = np.random.default_rng(11)
FEATURES = {
    "tokens": RNG.normal(size=(1, TOKENS, CHANNELS)),
    "maps": RNG.normal(size=(50, 24, 6, 6)),
    "states": RNG.normal(size=(TOKENS, CHANNELS)),
}
TYPES = ("f2", "f4", "f8")


def exact(side: dict[str, np.ndarray], features: str = "tokens", **options: object) -> set[str]:
    """Return the tensors that are kept bit for bit beside some features at 10 dB."""
    dump = {"features": FEATURES[features].astype("f4"), **side}
    data = fc.save(dump, snr=10, **options)
    reader = Reader(io.BytesIO(data), "bytes")
    kept = {e.name for e in reader.index.tensors if reader.groups()[e.group].lossy is None}
    back = fc.load(data)
    for name in kept:
        assert back[name].tobytes() == dump[name].tobytes()
    return kept


@pytest.mark.long
@given(
    st.sampled_from(TYPES),
    st.lists(st.floats(-65504, 65504, width=16), min_size=1, max_size=16, unique=True),
    st.sampled_from([(1, TOKENS), (TOKENS,), (1, 1, 20, 20), (TOKENS, CHANNELS), (50, 24, 6, 6)]),
    st.integers(0, 1 << 32),
)
@settings(max_examples=25)
def test_masks_and_codes_of_few_values_are_exact(
    dtype: str, values: list[float], shape: tuple[int, ...], seed: int
) -> None:
    chosen = np.random.default_rng(seed).choice(values, shape).astype(dtype)
    assert exact({"mask": chosen}) == {"mask"}


def test_a_causal_mask_of_minus_infinity_is_exact() -> None:
    for least in (-np.inf, np.finfo(np.float32).min, -65504):
        mask = np.triu(np.full((1, 1, 64, 64), least, np.float32), 1)
        assert exact({"mask": mask}) == {"mask"}


@pytest.mark.parametrize(
    "shape", [(TOKENS,), (TOKENS, 1), (1, TOKENS), (TOKENS, 1, 1), (1, TOKENS, 1)]
)
@pytest.mark.parametrize("features", ["tokens", "states"])
@pytest.mark.parametrize("count", [1, 2])
def test_one_value_a_token_is_exact(shape: tuple[int, ...], features: str, count: int) -> None:
    dtype = TYPES[(len(shape) + shape[0] + count) % 3]  # all pairs of types and the others
    side = {f"scale_{i}": RNG.normal(size=shape).astype(dtype) for i in range(count)}
    assert exact(side, features) == set(side)


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 1, 1, 1), (50, 4), (50, 2, 2)])
def test_labels_and_boxes_of_pictures_are_exact(shape: tuple[int, ...]) -> None:
    assert exact({"label": RNG.normal(size=shape)}, "maps") == {"label"}


def test_times_beside_features_are_exact() -> None:
    times = 1.7e9 + np.sort(RNG.random((TOKENS, 2)) * 1e5, axis=0)
    assert exact({"times": times}) == {"times"}


def test_maps_of_one_channel_are_features() -> None:
    assert exact({"depth": RNG.normal(size=(50, 1, 24, 24))}, "maps") == set()


def test_a_vector_of_channels_is_a_feature() -> None:
    pooled = RNG.normal(size=(1, CHANNELS)).astype("f4")
    several = {f"pooled_{i}": RNG.normal(size=CHANNELS).astype("f4") for i in range(4)}
    assert exact({"pooled": pooled}) == set()
    assert exact(several) == set()


@pytest.mark.long
def test_tensors_of_one_kind_are_judged_together() -> None:
    sentences = {
        f"sentence_{i}": RNG.normal(size=(1 + i % 5, CHANNELS)).astype("f4") for i in range(200)
    }
    data = fc.save(sentences, snr=10)
    assert all(group.lossy for group in Reader(io.BytesIO(data), "bytes").groups())


def test_vectors_alone_are_features() -> None:
    for count in (1, 3):
        vectors = {f"v{i}": RNG.normal(size=4000).astype("f4") for i in range(count)}
        groups = Reader(io.BytesIO(fc.save(vectors, snr=10)), "bytes").groups()
        assert all(group.lossy for group in groups)


def test_a_layout_by_name_says_that_a_tensor_is_features() -> None:
    scale = RNG.normal(size=(TOKENS, 1)).astype("f4")
    times = RNG.normal(size=(TOKENS, 2)).astype("f4")
    assert exact({"s": scale, "t": times}, layout={"s": "LD"}) == {"t"}
    assert exact({"s": scale, "t": times}, layout={"s": "LD", "t": "LD"}) == set()


def test_the_report_says_why() -> None:
    mask = (RNG.random((1, TOKENS)) < 0.5).astype("f4")
    dump = {"x": FEATURES["tokens"], "mask": mask, "times": RNG.normal(size=(TOKENS, 2))}
    source = Arrays({name: to_stored(array) for name, array in dump.items()}, None)
    lines = encode(source, io.BytesIO(), Quality.choose(snr=10)).choices
    reasons = dict(line.split(": ", 1) for line in lines)
    assert reasons["mask"].endswith("(few distinct values)")
    assert reasons["times"].endswith("(few values beside the features)")
