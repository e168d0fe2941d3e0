"""What profiles are trained on, which entries they keep, and that they never cost anything."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile, Quality, modes
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.encoding import dump, grouped, tuning
from featcodec.encoding.familiar import Familiar
from featcodec.encoding.fit import fitting
from featcodec.encoding.search import race
from featcodec.encoding.search.known import Spectrum
from featcodec.encoding.tensors.labels import told_apart
from featcodec.modes.linear.search import LinearSearch
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.training.linear import train
from featcodec.training.pools import Axes
from featcodec.training.rank import flattery, paying
from featcodec.verification import verify


def profile_of(
    *tensors: dict[str, np.ndarray], layout: str | None = None, **metadata: str
) -> Profile:
    sources = [
        Arrays({name: (a, "F32") for name, a in some.items()}, metadata or None) for some in tensors
    ]
    options = Options(layouts={"": layout} if layout else {})
    return Profile.parse(Profile.pack(train(sources, options)))


def few_axes(rows: int, channels: int, rank: int, kind: int, seed: int) -> np.ndarray:
    """Return (rows, channels) of a few axes, those of its kind, and some noise."""
    axes = np.random.default_rng(kind).normal(size=(rank, channels))
    rng = np.random.default_rng(1000 + seed)
    noise = rng.normal(size=(rows, channels)) / 20
    return (rng.normal(size=(rows, rank)) @ axes + noise).astype("f4")


# --- rows and channels --------------------------------------------------------------------------


@cache
def few_rows(channels: int, snr: float) -> tuple[dict[str, np.ndarray], int]:
    """Return few rows of many channels, and the bytes that they take without a profile."""
    rows = {"logits": few_axes(35, channels, 5, 1, 1)}
    return rows, len(fc.save(rows, snr=snr))


@pytest.mark.long
@pytest.mark.parametrize(
    ("layout", "channels"), [("LD", 2500), ("ND", 700), (None, 700), (None, 2500)]
)
def test_a_profile_of_few_rows_serves_other_numbers_of_rows(
    layout: str | None, channels: int
) -> None:
    profile = profile_of({"logits": few_axes(90, channels, 5, 1, 0)}, layout=layout)
    assert channels in {entry.channels for entry in profile.entries}
    for snr in (8.0, 16.0):
        other, without = few_rows(channels, snr)
        data = fc.save(other, snr=snr, profile=profile)
        assert len(data) < without / 3
        error = fc.load(data, profile=profile)["logits"] - other["logits"]
        assert 10 * np.log10(other["logits"].var() / error.var()) >= snr - 0.01


def test_a_layout_that_was_stated_for_training_is_tried_where_none_is() -> None:
    channels = 9000  # of so many none are inferred
    profile = profile_of({"x": few_axes(60, channels, 3, 2, 0)}, layout="ND")
    data = fc.save({"x": few_axes(25, channels, 3, 2, 1)}, snr=12.0, profile=profile)
    (group,) = Reader(io.BytesIO(data), "x").groups()
    assert group.lossy is not None and group.lossy.layout == "ND"
    assert len(data) < 2000


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kept", [0.15, 1.0])
def test_only_what_axes_make_larger_has_an_entry_without(kept: float, apart: bool) -> None:
    """Channels much alike, but where each is zero apart from the others: axes do worse there."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4000, 2)) @ rng.normal(size=(2, 24))
    values *= rng.random((4000, 24 if apart else 1)) < kept
    profile = profile_of({"x": values.astype("f4")}, layout="LD")
    without = [entry.model.transform == "none" for entry in profile.entries]
    assert without == [kept < 1 and apart]


def test_axes_of_noise_are_not_kept() -> None:
    noise = np.random.default_rng(3).normal(size=(300, 1200)).astype("f4")
    (entry,) = profile_of({"x": noise}, layout="ND").entries
    assert entry.model.reflectors == 0


# --- how many axes ------------------------------------------------------------------------------


@given(st.integers(1, 8), st.integers(20, 60), st.integers(2, 40), st.integers(0, 9))
def test_axes_pay_that_are_strong_and_no_others(
    rank: int, channels: int, tokens: int, seed: int
) -> None:
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(channels, channels)))[0]
    flat = np.full(channels, 1 / channels)
    strong = np.where(np.arange(channels) < rank, 1000.0, 1.0)
    strong /= strong.sum()
    _, kept = paying(Axes(axes, strong, strong), channels, tokens * channels, channels - 1)
    assert rank <= kept <= rank + 1
    _, kept = paying(Axes(axes, flat, flat), channels, tokens * channels, channels - 1)
    assert kept == 0


@given(st.integers(1, 30), st.integers(0, 99))
def test_latents_elsewhere_lie_between_what_was_seen_and_half_of_it_shows(
    rank: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    seen, elsewhere = (-np.sort(-rng.dirichlet(np.ones(40))) for _ in range(2))
    factors = flattery(Axes(np.eye(40), elsewhere, seen), rank) ** 2
    ratio = elsewhere[:rank] / seen[:rank]
    assert np.all(factors[:rank] <= np.maximum(ratio, 1) * (1 + 1e-9))
    assert np.all(factors[:rank] >= np.minimum(ratio, 1) * (1 - 1e-9))
    assert np.ptp(factors[rank:]) == 0


# --- layers among others ------------------------------------------------------------------------


def test_numbers_that_tell_apart_stay_in_the_name() -> None:
    names = [f"layer.{i}.text_{j}" for i in range(3) for j in range(4)]
    assert told_apart(names[:4], names) == "layer.0.text_#"
    assert told_apart(names[2:3], names) == "layer.0.text_2"
    assert told_apart(names, names) == ""
    assert told_apart([names[0], names[5]], names) == ""
    assert told_apart(["cache.7"], ["cache.7"]) == ""
    assert told_apart([names[0], "head.1"], [*names, "head.1"]) == ""


@pytest.mark.long
def test_layers_that_only_names_tell_apart_have_entries_of_their_own_where_these_pay() -> None:
    def cache(rows: int, seed: int) -> dict[str, np.ndarray]:
        return {f"past.{i}.key": few_axes(rows, 96, 6, 10 + i, seed)[None] for i in range(4)}

    profile = profile_of(cache(900, 0), layout="NLD:0")
    assert {"past.0.key", "past.3.key"} <= {entry.name for entry in profile.entries}
    other = cache(200, 1)
    pooled = profile_of(*({"past.#": a} for a in cache(900, 0).values()), layout="NLD:0")
    sizes = [
        len(fc.save(other, snr=12.0, layout="NLD:0", **more))
        for more in ({"profile": profile}, {"profile": pooled}, {})
    ]
    assert sizes[0] < 0.6 * min(sizes[1:])


def test_tensors_of_one_kind_have_one_entry() -> None:
    tensors = {f"image_{i}": few_axes(400, 48, 4, 20, i)[None] for i in range(6)}
    (entry,) = profile_of(tensors, layout="NLD:0").entries
    assert entry.name == "image_#"


# --- a profile costs nothing --------------------------------------------------------------------


@st.composite
def features(draw: st.DrawFn) -> np.ndarray:
    """Draw (rows, channels): dense or of few axes, perhaps sparse, perhaps of unlike channels."""
    rows, channels = draw(st.sampled_from([(300, 24), (90, 60), (700, 12)]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    rank = draw(st.sampled_from([2, channels]))
    values = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, channels))
    if draw(st.booleans()):
        values = np.maximum(values, 0)
    if draw(st.booleans()):
        values *= np.exp(rng.normal(size=channels))
    return (values + 0.01 * rng.normal(size=values.shape)).astype("f4")


@pytest.mark.parametrize("snr", [4.0, 10.0, 20.0])
def test_what_a_profile_knows_is_coded_with_it_and_no_other_way_is_tried(
    digits: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch, snr: float
) -> None:
    """To as few bytes as if all were tried."""
    values = load_file(digits / "vit_eval.safetensors")["features"].astype("f4")[:100]
    how = {"snr": snr, "layout": "NLD:1+4x4", "profile": profile}
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "KNOWN", 0.0)
        tried = fc.save({"x": values}, **how)
    with monkeypatch.context() as patch:
        patch.setattr(modes, "searches", lambda: pytest.fail("other modes are tried"))
        known = fc.save({"x": values}, **how)
    assert len(known) < 1.005 * len(tried)


@pytest.mark.parametrize("name", ["features", "x"])
@pytest.mark.parametrize("snr", [10.0, 20.0])
def test_what_a_profile_knows_is_read_as_it_was_trained_and_no_other_way_is_judged(
    digits: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch, snr: float, name: str
) -> None:
    """To the bytes of a file whose layout was judged."""
    values = load_file(digits / "vit_eval.safetensors")["features"].astype("f4")[:200]
    how = {"snr": snr, "profile": profile}
    with monkeypatch.context() as patch:
        patch.setattr(dump, "Familiar", lambda *_: Familiar(None, None, Options()))
        judged = fc.save({name: values}, **how)
    with monkeypatch.context() as patch:
        patch.setattr(grouped, "judges_at", lambda *_: lambda group: pytest.fail("it is judged"))
        known = fc.save({name: values}, **how)
    assert known == judged


def test_few_tokens_that_a_profile_knows_are_no_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more channels than tokens axes cost more than they save, but those of a profile do not."""
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(200, 200)) * 2.0 ** (-np.arange(200) / 16)[:, None]
    trained, values = (rng.normal(size=(n, 200)) @ axes for n in (4000, 100))
    how = {"snr": 12, "layout": "LD"}
    profile = profile_of({"x": trained.astype("f4")}, layout="LD")
    monkeypatch.setattr(grouped, "judges_at", lambda *_: lambda group: pytest.fail("it is judged"))
    known = {f"x_{i}": part for i, part in enumerate(np.split(values.astype("f4"), 2))}
    assert fc.save(known, **how, profile=profile)


@pytest.mark.parametrize("snr", [10.0, 20.0])
def test_sparse_maps_that_a_profile_knows_get_no_axes_of_their_own(
    digits: Path, monkeypatch: pytest.MonkeyPatch, snr: float
) -> None:
    """To as few bytes as if all were tried."""
    maps = rectified(digits, "eval", 0)
    how = {"snr": snr, "layout": "NCHW", "profile": rectified_profile(digits, 0)}
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "KNOWN", 0.0)
        tried = fc.save({"x": maps[:60]}, **how)
    with monkeypatch.context() as patch:
        patch.setattr(LinearSearch, "enter", lambda *_: pytest.fail("other axes are tried"))
        known = fc.save({"x": maps[:60]}, **how)
    assert len(known) < 1.005 * len(tried)


@pytest.mark.long
@pytest.mark.parametrize(("snr", "count"), [(20.0, 1), (10.0, 8)])
def test_sparse_maps_that_entries_serve_are_coded_with_them_and_no_other_way_is_tried(
    digits: Path, monkeypatch: pytest.MonkeyPatch, snr: float, count: int
) -> None:
    """To hardly more bytes than if all were tried."""
    how = {"snr": snr, "layout": "NCHW", "profile": rectified_profile(digits)}
    maps = rectified(digits, "eval")[:count]
    with monkeypatch.context() as patch:
        patch.setattr(race, "serving", lambda _: [])
        tried = fc.save({"x": maps}, **how)
    with monkeypatch.context() as patch:
        patch.setattr(modes, "searches", lambda: pytest.fail("other modes are tried"))
        served = fc.save({"x": maps}, **how)
    assert len(served) < 1.02 * len(tried)


def test_sparse_maps_unlike_those_of_a_profile_are_coded_as_without_it(digits: Path) -> None:
    """Their neighbours tell nothing: what an entry takes is measured, not believed."""
    shape = rectified(digits, "eval")[:5].shape
    rng = np.random.default_rng(7)
    noise = np.maximum(rng.normal(size=shape) - 1.5, 0).astype("f4")
    how = {"snr": 10, "layout": "NCHW"}
    with_profile = fc.save({"x": noise}, **how, profile=rectified_profile(digits))
    assert len(with_profile) <= len(fc.save({"x": noise}, **how))


@cache
def rectified(digits: Path, part: str, less: float = 0.5) -> np.ndarray:
    """Return maps from so many deviations on."""
    maps = load_file(digits / f"cnn_{part}.safetensors")["features"].astype("f4")
    return np.maximum(maps - less * maps.std(), 0)


@cache
def rectified_profile(digits: Path, less: float = 0.5) -> Profile:
    return profile_of({"x": rectified(digits, "train", less)}, layout="NCHW")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_profile_knows_what_it_was_trained_on_by_its_axes(seed: int, turned: bool) -> None:
    """Axes that are turned make features others, however alike all else is."""
    rng = np.random.default_rng(seed)
    spread = np.diag(2.0 ** (-np.arange(40) / 3))
    axes = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    trained = rng.normal(size=(1000, 40)) @ spread @ axes
    others = np.linalg.qr(rng.normal(size=(40, 40)))[0] if turned else axes
    values = rng.normal(size=(500, 40)) @ spread @ others
    profile = profile_of({"x": trained.astype("f4")}, layout="LD")
    entry, model = profile.entries[0], profile.model(0)
    classes = {(1,): ((values - entry.mean) / entry.std).T[:, None].astype("f4")}
    energy = fitting.energy_of(fitting.latents_of(model, classes, "float32"), model.block)
    assert (Spectrum.of(model, energy).off(20) < tuning.KNOWN) == (not turned)


@pytest.mark.long
@settings(deadline=None, max_examples=12)
@given(features(), features(), st.sampled_from([3.0, 8.0, 15.0, 25.0]), st.sampled_from([1, 3]))
def test_no_file_is_larger_with_a_profile(
    trained: np.ndarray, values: np.ndarray, snr: float, tensors: int
) -> None:
    channels = values.shape[1]
    profile = profile_of({"x_0": np.resize(trained, (300, channels))}, layout="LD")
    some = {f"x_{i}": part for i, part in enumerate(np.array_split(values, tensors))}
    without = fc.save(some, snr=snr, layout="LD")
    assert len(fc.save(some, snr=snr, layout="LD", profile=profile)) <= len(without)


# --- other scales -------------------------------------------------------------------------------

SCALES = [1e-40, 1e-30, 1e-21, 1e-9, 1.0, 1e9, 1e21, 1e30]


@settings(max_examples=15)
@given(st.sampled_from(SCALES), st.sampled_from(SCALES), st.sampled_from([0, 1e3]), st.data())
def test_a_profile_of_any_scale_serves_or_leaves_features_of_any_other(
    trained: float, scale: float, mean: float, data: st.DataObject
) -> None:
    smooth = np.random.default_rng(0).normal(size=(20, 8, 4)).cumsum(1)
    source = Arrays({"x": (trained * (mean + smooth), "F64")}, None)
    profile = Profile.parse(Profile.pack(train([source], Options())))
    quality = data.draw(st.sampled_from([Quality(snr=10), Quality(snr=40), Quality(row_snr=10)]))
    kind = data.draw(st.sampled_from(["F64", "F32"]))
    features = scale * smooth[:9] + scale * mean / 10
    features = Arrays({"x": (features.astype({"F64": "f8", "F32": "f4"}[kind]), kind)}, None)
    out = io.BytesIO()
    dump.encode(features, out, quality, profile, Options(effort="fast"))
    verify(features, Memory(out.getvalue()), quality, profile)
