"""Quality holds for each tensor, layer and head, and a file states where it holds least."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from featcodec.align.layout import Layout
from featcodec.align.numbers import from_float, to_float
from featcodec.align.slices import SliceGains
from featcodec.cli.main import main
from featcodec.container import quality
from featcodec.container.quality import Figure, GroupQuality
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.decoding.decoder import Decoder
from featcodec.encoding import dump
from featcodec.encoding.foreseen import foreseen
from featcodec.encoding.measured import Measured, snrs_of
from featcodec.encoding.rate_control.slices import BELOW, RESPONSE, ROUNDS, SliceControl
from featcodec.encoding.report import Report
from featcodec.encoding.slices import Slices
from featcodec.encoding.tensors.group import Group
from featcodec.entropy import integers
from featcodec.errors import Corrupt, VerificationFailed
from featcodec.numpy import Arrays
from featcodec.request import Options, Quality
from featcodec.verification import verify

CENT = 0.006  # dB: a file states hundredths


@dataclass(frozen=True)
class Kind:
    """A way to store what an SNR is to hold for: an arrangement, and its slices."""

    layout: str
    tensors: int
    shape: tuple[int, ...]  # of one, slices before rows and channels
    order: tuple[int, ...]  # of the axes in the tensor

    def arrays(self, seed: int) -> dict[str, np.ndarray]:
        """Return correlated rows, slices of unlike scale."""
        rng = np.random.default_rng(seed)
        channels = self.shape[-1]
        mixing = rng.normal(size=(channels, channels)) * np.linspace(1.5, 0.2, channels)[:, None]
        values = rng.normal(size=(self.tensors, *self.shape)) @ mixing
        values *= np.exp(rng.normal(0, 0.25, (*values.shape[:-2], 1, 1)))
        values += rng.normal(size=channels)
        return {f"t{i}": np.float32(x.transpose(self.order)) for i, x in enumerate(values)}

    def slices(self, x: np.ndarray) -> Iterator[np.ndarray]:
        parts = x.transpose(np.argsort(self.order))
        yield from parts.reshape(-1, *parts.shape[-2:])


KINDS = [
    Kind("LD", 12, (40, 24), (0, 1)),
    Kind("NKLD", 2, (1, 4, 60, 16), (0, 1, 2, 3)),
    Kind("NNLD", 2, (1, 4, 60, 16), (0, 1, 2, 3)),
    Kind("NCLD", 2, (1, 4, 60, 16), (0, 1, 2, 3)),
    Kind("LCD", 2, (4, 80, 16), (1, 0, 2)),
]


def encoded(
    arrays: dict[str, np.ndarray], asked: Quality, dtype: str = "F32", **options: object
) -> tuple[Report, bytes, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return report, file, and the values before and after."""
    stored = {name: from_float(x, dtype) for name, x in arrays.items()}
    out = io.BytesIO()
    source = Arrays({name: (x, dtype) for name, x in stored.items()}, None)
    report = dump.encode(source, out, asked, options=Options(**options))  # type: ignore[arg-type]
    decoder = Decoder(Reader(Memory(out.getvalue()), "file"))
    before = {name: to_float(x, dtype).astype(np.float64) for name, x in stored.items()}
    after = {
        entry.name: to_float(decoder.tensor(entry), dtype).astype(np.float64).reshape(entry.shape)
        for entry in decoder.reader.index.tensors
    }
    return report, out.getvalue(), before, after


def snr(x: np.ndarray, y: np.ndarray) -> float:
    return float(10 * np.log10(x.var() * x.size / np.square(x - y).sum()))


def lowest(before: dict[str, np.ndarray], after: dict[str, np.ndarray], kind: Kind) -> float:
    return min(
        snr(x, y)
        for name in before
        for x, y in zip(kind.slices(before[name]), kind.slices(after[name]), strict=True)
    )


# ---- The SNR of slices --------------------------------------------------------------------------


@pytest.mark.long
@settings(max_examples=12, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 99), st.sampled_from([10.0, 20.0]))
def test_the_snr_holds_for_each_tensor_layer_and_head_within_1_db(
    kind: Kind, seed: int, asked: float
) -> None:
    arrays = kind.arrays(seed)
    _, _, before, after = encoded(arrays, Quality(snr=asked), layouts={"": kind.layout})
    assert lowest(before, after, kind) >= asked - 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.layout)
def test_with_pool_it_holds_for_all_together_alone(kind: Kind) -> None:
    # What each slice has on top costs nothing here: a model fitted to like slices saves as much.
    *outer, rows, channels = kind.shape
    kind = replace(kind, shape=(*outer, 6 * rows, channels))
    arrays, layouts = kind.arrays(7), {"": kind.layout}
    _, held, *_ = encoded(arrays, Quality(snr=10), layouts=layouts)
    _, pooled, before, after = encoded(arrays, Quality(snr=10), layouts=layouts, pool=True)
    assert lowest(before, after, kind) < 9
    assert len(pooled) < 1.01 * len(held)


def test_alike_tensors_have_no_gains() -> None:
    rng = np.random.default_rng(1)
    arrays = {f"t{i}": np.float32(rng.normal(size=(200, 16))) for i in range(6)}
    _, data, *_ = encoded(arrays, Quality(snr=15), layouts={"": "LD"})
    (header,) = Reader(Memory(data), "file").groups()
    assert header.lossy is not None and header.lossy.slices is None


def group_of_heads(scales: Sequence[float], seed: int = 0, mixed: float = 0.0) -> Group:
    """Return a group of heads of such scales, of which a part is the first one's."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(1, len(scales), 300, 16)) * np.linspace(2, 0.1, 16)
    values[:, 1:] += mixed * values[:, :1]
    values = np.float32(values * np.array(scales)[:, None, None])
    names, shapes = ["key"], [values.shape]
    return Group("F32", "transformer", Layout("NCLD"), names, shapes, lambda _: values, "", "")


@pytest.mark.long
def test_neighbours_that_tell_no_more_than_the_scale_of_a_tensor_cost_nothing() -> None:
    random = np.random.default_rng(0)
    noise = {f"x{i}": random.normal(size=(1, 4, 60, 32)) * (1 + i) for i in range(24)}
    dump = {name: x.astype("f4") for name, x in noise.items()}
    sizes = [len(fc.save(dump, snr=10, transform=name)) for name in ("auto", "linear")]
    assert sizes[0] < 1.005 * sizes[1]


@given(st.lists(st.floats(-3, 0), min_size=2, max_size=6), st.sampled_from([8.0, 12.0, 16.0]))
@settings(deadline=None, max_examples=20)
def test_weaker_heads_are_foreseen_to_need_finer_steps(octaves: list[float], asked: float) -> None:
    found = foreseen(group_of_heads([2.0**octave for octave in octaves]), asked).slices
    exponents = np.zeros(len(octaves), int) if found is None else found.exponents[0]
    assert (exponents <= 0).all() and (exponents == 0).any()
    order = np.argsort(octaves)
    assert (np.diff(exponents[order]) >= -2).all()  # by chance, where they are about as strong
    if min(octaves) < max(octaves) - 1:
        assert exponents.min() < 0


@pytest.mark.parametrize(
    ("group", "asked"),
    [
        pytest.param(group_of_heads([1, 1, 1]), 20, id="heads as strong as one another"),
        pytest.param(group_of_heads([1, 0.2], mixed=5), 20, id="layers of a stream, much alike"),
        pytest.param(group_of_heads([1, 0.2]), 1, id="hardly any bits"),
        pytest.param(group_of_heads([1, 0.2]), 40, id="bits for all that tokens have"),
        pytest.param(group_of_heads([0, 0]), 20, id="no values but zero"),
    ],
)
def test_no_gains_are_foreseen_of_them(group: Group, asked: float) -> None:
    assert foreseen(group, asked) is group


def test_a_dead_head_changes_nothing_of_what_others_need() -> None:
    alive, dead = (foreseen(group_of_heads(s), 20).slices for s in ([1, 0.1], [1, 0.1, 0]))
    assert alive is not None and dead is not None
    assert dead.exponents[0, 2] == 0 and (dead.exponents[0, :2] == alive.exponents[0]).all()


@given(st.lists(st.floats(-6, 6), min_size=2, max_size=9), st.floats(1, 6))
def test_gains_are_found_where_slices_answer_to_them(offsets: list[float], response: float) -> None:
    """Made-up slices: each is so far from what it is to have, and answers to its step."""
    count = len(offsets)
    slices = Slices(np.arange(count), np.zeros(4, np.int64), np.arange(count + 1), np.arange(count))
    control, exponents, raised = SliceControl(slices, 9.0), np.zeros((count, 1)), 0.0
    for _ in range(ROUNDS + 1):
        snrs = 9 + raised + np.array(offsets)[:, None] - response * exponents / 16
        noise = 10 ** (-snrs / 10)
        sums = np.stack([np.ones_like(noise), 0 * noise, np.ones_like(noise), noise])
        more = control.next(Measured(sums, np.zeros((4, 1))), 1.0)
        if more is None:
            break
        exponents, raised = more.gains.exponents, raised + more.lacking
    assert (snrs >= 9).all() and (exponents <= 0).all()


@given(st.lists(st.floats(-6, 6), min_size=2, max_size=9), st.floats(1, 3))
def test_a_model_that_gives_weak_slices_no_more_is_fitted_to_gains_that_do_not_run_away(
    offsets: list[float], above: float
) -> None:
    """Made-up slices: a model gives each but a little more than at the gains it is fitted to."""
    count = len(offsets)
    slices = Slices(np.arange(count), np.zeros(4, np.int64), np.arange(count + 1), np.arange(count))
    control, raised = SliceControl(slices, 9.0), 0.0
    fitted = exponents = np.zeros((count, 1))
    for _ in range(ROUNDS + 1):
        most = above - RESPONSE * fitted / 16
        snrs = 9 + np.array(offsets)[:, None] + np.minimum(-RESPONSE * exponents / 16, most)
        snrs += raised
        noise = 10 ** (-snrs / 10)
        sums = np.stack([np.ones_like(noise), 0 * noise, np.ones_like(noise), noise])
        more = control.next(Measured(sums, np.zeros((4, 1))), 1.0)
        if more is None:
            break
        exponents, raised = more.gains.exponents, raised + more.lacking
        fitted = exponents if more.refit is not None else fitted
    assert (snrs >= 9).all()
    assert np.ptp(exponents) <= 16 * (np.ptp(offsets) + 1) / RESPONSE


@given(
    st.lists(st.tuples(st.floats(-90, 60), st.floats(-160, 0)), min_size=2, max_size=9),
    st.floats(0.1, 9),
)
def test_a_model_is_fitted_to_gains_that_leave_something_to_code(
    slices_of: list[tuple[float, float]], snr: float
) -> None:
    """Slices of such SNRs and variances, in dB; a made-up model that answers to no step."""
    count = len(slices_of)
    slices = Slices(np.arange(count), np.zeros(4, np.int64), np.arange(count + 1), np.arange(count))
    control = SliceControl(slices, snr - BELOW)
    snrs, variances = (np.array(each)[:, None] for each in zip(*slices_of, strict=True))
    signal = 10 ** (variances / 10)
    ones = np.ones_like(signal)
    sums = np.stack([ones, 0 * ones, signal, signal / 10 ** (snrs / 10)])
    while (more := control.next(Measured(sums, np.zeros((4, 1))), 1.0)) is not None:
        if more.refit is not None:
            assert snr + more.lacking + more.refit - more.gains.decibels > 0


def heads_of_unlike_scale(digits: Path) -> dict[str, np.ndarray]:
    tokens = load_file(digits / "vit_eval.safetensors")["features"][:60, 1:].reshape(3, 320, 4, 16)
    scales = np.exp(np.random.default_rng(0).normal(0, 0.7, (3, 1, 4, 1)))
    heads = np.float32((tokens * scales).transpose(0, 2, 1, 3))
    return {f"key{i}": np.ascontiguousarray(x[None, :, :100]) for i, x in enumerate(heads)}


def test_bytes_hardly_change_by_what_another_machine_rounds(digits: Path) -> None:
    plain = heads_of_unlike_scale(digits)
    rng = np.random.default_rng(1)
    off = {name: np.float32(x * (1 + 1e-6 * rng.normal(size=x.shape))) for name, x in plain.items()}
    layout = {"layout": "NNLD"}
    sizes = [len(fc.save(arrays, layout, snr=5)) for arrays in (plain, off)]
    assert max(sizes) <= 1.01 * min(sizes)


@given(st.integers(1, 5), st.integers(1, 3), st.data())
def test_gains_are_as_they_were_packed(count: int, runs: int, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.integers(-512, 512), min_size=count * runs, max_size=count * runs))
    exponents = np.array(some).reshape(count, runs)
    gains = SliceGains(False, integers.unpack(integers.pack(exponents.ravel()), exponents.size)
                       .reshape(count, runs))  # fmt: skip
    factors = gains.factors(np.arange(count), 2 * runs)[:, 0]
    np.testing.assert_array_equal(factors, np.repeat(2 ** (exponents.T / 16), 2, axis=0))


# ---- What is stated -----------------------------------------------------------------------------


def figures(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> tuple[float, float]:
    """What a script finds of tensors (rows, channels): SNRs that a tenth is below."""
    x, y = (np.concatenate([*some.values()]) for some in (before, after))
    error = np.square(x - y)
    channels = 10 * np.log10(np.square(x - x.mean(axis=0)).sum(axis=0) / error.sum(axis=0))
    rows = 10 * np.log10(np.square(x).sum(axis=1) / error.sum(axis=1))
    return tuple(float(np.sort(a)[len(a) // 10]) for a in (channels, rows))  # type: ignore


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
@pytest.mark.parametrize("asked", [Quality(snr=9), Quality(row_snr=12), Quality(max_error=0.3)])
def test_what_is_stated_is_what_a_script_measures(dtype: str, asked: Quality) -> None:
    arrays = KINDS[0].arrays(3)
    report, _, before, after = encoded(arrays, asked, dtype, layouts={"": "LD"})
    channels, rows = figures(before, after)
    each = {name: snr(before[name], after[name]) for name in before}
    found, worst = report.lowest, min(each, key=each.__getitem__)
    assert found.tensor is not None and found.channels is not None and found.rows is not None
    assert found.tensor == (worst, pytest.approx(each[worst], abs=CENT))
    assert found.channels[1] == pytest.approx(channels, abs=CENT)
    assert found.rows[1] == pytest.approx(rows, abs=CENT)


@pytest.mark.parametrize("whole", [False, True])
def test_repeated_rows_count_as_often_and_where_tensors_have_them(whole: bool) -> None:
    arrays = KINDS[0].arrays(4)
    rng = np.random.default_rng(4)
    for name in ("t3", "t8"):  # repeat rows of others
        arrays[name] = arrays["t1"][rng.integers(0, 40, 40)] if not whole else arrays["t1"].copy()
    report, data, before, after = encoded(arrays, Quality(snr=12), layouts={"": "LD"}, pool=True)
    (header,) = Reader(Memory(data), "file").groups()
    assert header.repeats is not None
    channels, rows = figures(before, after)
    found = report.lowest
    assert found.tensor and found.channels and found.rows
    assert found.tensor[1] == pytest.approx(min(snr(before[n], after[n]) for n in before), abs=CENT)
    assert found.channels[1] == pytest.approx(channels, abs=CENT)
    assert found.rows[1] == pytest.approx(rows, abs=CENT)


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.layout)
def test_the_worst_layer_or_head_is_named_as_numpy_indexes_it(kind: Kind) -> None:
    arrays, layouts = kind.arrays(5), {"": kind.layout}
    report, _, before, after = encoded(arrays, Quality(snr=12), layouts=layouts, pool=True)
    assert report.lowest.slice is not None and report.lowest.tensor is not None
    named, found = report.lowest.slice
    name, _, index = named.partition("[")
    place = eval(f"np.s_[{index}")
    assert found == pytest.approx(snr(before[name][place], after[name][place]), abs=CENT)
    assert found == pytest.approx(lowest(before, after, kind), abs=CENT)
    name, found = report.lowest.tensor
    assert found == pytest.approx(min(snr(before[n], after[n]) for n in before), abs=CENT)


def large() -> dict[str, np.ndarray]:
    kind = Kind("LD", 30, (400, 32), (0, 1))
    return kind.arrays(2)


def test_a_file_states_it_where_that_takes_next_to_nothing() -> None:
    report, data, *_ = encoded(large(), Quality(snr=20), layouts={"": "LD"})
    reader = Reader(Memory(data), "file")
    (stated,) = reader.qualities() or []
    worst = report.lowest
    assert worst.tensor and worst.rows and worst.channels and stated.tensor
    assert reader.index.tensors[stated.tensor.tensor].name == worst.tensor[0]
    figures = (stated.tensor.snr, stated.channels, stated.rows)
    assert figures == pytest.approx((worst.tensor[1], worst.channels[1], worst.rows[1]), abs=CENT)
    _, small, *_ = encoded(KINDS[0].arrays(1), Quality(snr=5), layouts={"": "LD"})
    assert Reader(Memory(small), "file").qualities() is None


@given(
    st.lists(
        st.builds(
            GroupQuality,
            st.integers(0, 2),
            st.none() | st.builds(Figure, st.integers(-9999, 9999).map(lambda n: n / 100),
                                  st.integers(0, 4)),
            st.none() | st.builds(Figure, st.integers(-9999, 9999).map(lambda n: n / 100),
                                  st.integers(0, 4), st.text(max_size=9)),
            st.none() | st.integers(-9999, 9999).map(lambda n: n / 100),
            st.none() | st.integers(-9999, 9999).map(lambda n: n / 100),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_what_is_said_of_quality_is_read_back(groups: list[GroupQuality]) -> None:
    assert quality.unpack(quality.pack(groups), len(groups), 5) == groups
    with pytest.raises(Corrupt):
        quality.unpack(quality.pack([*groups, GroupQuality()]), len(groups), 5)


# ---- What a mean hides --------------------------------------------------------------------------


def test_rows_that_a_mean_hides_are_warned_of() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(600, 32)) * np.geomspace(0.02, 1, 600)[rng.permutation(600), None]
    report, *_ = encoded({"x": np.float32(rows)}, Quality(snr=20), layouts={"": "LD"})
    (line,) = report.remarks
    assert "rows of x" in line and "row_snr" in line and "all together 20.0" in line
    for asked in (Quality(row_snr=20), Quality(max_error=0.01)):
        report, *_ = encoded({"x": np.float32(rows)}, asked, layouts={"": "LD"})
        assert (asked.row_snr is None) == bool(report.remarks)
    report, *_ = encoded(KINDS[0].arrays(1), Quality(snr=20), layouts={"": "LD"})
    assert not report.remarks


def test_tensors_of_a_few_values_share_an_snr_and_nothing_is_said_of_rows_of_one_value() -> None:
    rng = np.random.default_rng(6)
    few = {f"t{i}": rng.normal(size=4).astype("f4") for i in range(300)}
    report, *_ = encoded(few, Quality(snr=10))
    assert report.snr_db < 11 and not report.remarks
    report, *_ = encoded(
        {f"t{i}": rng.normal(size=96).astype("f4") for i in range(20)}, Quality(snr=10)
    )
    assert not report.remarks


def test_a_layer_that_pool_hides_is_warned_of() -> None:
    heads = (
        np.random.default_rng(5).normal(size=(1, 3, 200, 16)) * np.array([1, 8, 40])[:, None, None]
    )
    arrays, layouts = {"h": np.float32(heads)}, {"": "NCLD"}
    report, *_ = encoded(arrays, Quality(snr=20), layouts=layouts, pool=True)
    assert any(line.startswith("h[:, 0] has") and "without pool" in line for line in report.remarks)
    report, *_ = encoded(arrays, Quality(snr=20), layouts=layouts)
    assert not report.remarks


@pytest.mark.parametrize("seed", range(4, 8))
def test_a_model_that_is_fitted_anew_is_the_one_that_codes(seed: int) -> None:
    """Its gains may be those of the model before it."""
    values = np.random.default_rng(seed).normal(size=(3, 64, 33, 1)).astype(np.float16)
    values[1] = 0
    data = fc.save({"x": values}, snr=20, layout="DNNN")
    assert fc.load(data)["x"].shape == values.shape


# ---- From the shell -----------------------------------------------------------------------------


Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*args: object) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        assert ended.value.code == 0
        said = capsys.readouterr()
        return said.out, said.err

    return command


@pytest.mark.long
def test_info_says_how_tensors_were_read_and_where_quality_is_lowest(
    tmp_path: Path, run: Run
) -> None:
    source, file, report = (tmp_path / name for name in ("x.safetensors", "x.fcz", "r.jsonl"))
    for metadata, options, reading in (
        ({"layout": "LD"}, (), "stated by metadata"),
        ({}, ("--layout", "LD"), "stated by --layout"),
        ({}, (), "read from the data"),
    ):
        save_file(large(), source, metadata or None)
        _, said = run("encode", "-v", source, "-o", file, "-f", "--report", report, *options)
        assert "worst: tensor t" in said and "a tenth of the rows of t0" in said
        shown, _ = run("info", file)
        assert f"layout LD, {reading}" in shown and "worst: tensor t" in shown
        found = json.loads(run("info", "--json", file)[0])["tensors"][0]
        worst = json.loads(report.read_text().splitlines()[-1])["worst"]
        assert found["reading"] == reading
        assert found["worst_tensor"]["name"] == worst["tensor"]["name"]
        assert found["worst_tensor"]["snr_db"] == pytest.approx(worst["tensor"]["snr_db"], abs=CENT)
        for key in ("tenth_of_channels", "tenth_of_rows"):
            assert found[f"{key}_db"] == pytest.approx(worst[key]["snr_db"], abs=CENT)


# ---- What was promised is verified --------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["F16", "BF16", "F32"]),
    st.sampled_from(["LD", "NLD", "CHW", "NCLD"]),
    st.integers(0, 99),
    st.sampled_from([8.0, 15.0]),
    st.booleans(),
)
def test_the_snr_of_rows_is_what_was_asked_for(
    dtype: str, layout: str, seed: int, asked: float, repeated: bool
) -> None:
    rng = np.random.default_rng(seed)
    shape = {"LD": (90, 16), "NLD": (6, 15, 16), "CHW": (16, 9, 10), "NCLD": (1, 2, 90, 8)}[layout]
    rows = rng.normal(size=(90, 16)) * np.exp(rng.normal(0, 1.5, (90, 1)))
    if repeated and layout == "LD":
        rows = rows[np.arange(90) // 3]
    axes = {"CHW": (1, 0), "NCLD": (1, 0)}.get(layout)
    x = rows.reshape(90, 2, 8).transpose(1, 0, 2) if layout == "NCLD" else rows
    x = x.T if axes and layout == "CHW" else x
    arrays = {"x": np.float32(x.reshape(shape))}
    _, data, before, after = encoded(arrays, Quality(row_snr=asked), dtype, layouts={"": layout})
    stored = {"x": (from_float(arrays["x"], dtype), dtype)}
    verify(Arrays(stored, None), Memory(data), Quality(row_snr=asked))
    with pytest.raises(VerificationFailed, match=r"an SNR of rows of .* dB, asked for were"):
        verify(Arrays(stored, None), Memory(data), Quality(row_snr=asked + 1.5))


@given(st.integers(0, 99))
@settings(max_examples=5, deadline=None)
def test_sums_of_any_pivot_have_one_snr(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, pivot = rng.normal(size=50), rng.normal()
    y = x + rng.normal(0, 0.1, 50)
    sums = np.array([50, (x - pivot).sum(), np.square(x - pivot).sum(), np.square(x - y).sum()])
    assert float(snrs_of(sums)) == pytest.approx(snr(x, y))


@pytest.mark.parametrize(
    "apart",
    [
        2.0,
        pytest.param(1.0, marks=pytest.mark.long),
        pytest.param(5.0, marks=pytest.mark.long),
        pytest.param(20.0, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("layout", ["NCD", "NKD"])
def test_layers_whose_means_are_far_apart_have_the_snr_each_in_few_bytes(
    apart: float, layout: str
) -> None:
    """So all of them have less than all together, and gains for all of them are none."""
    rng = np.random.default_rng(0)
    layers = rng.normal(size=(3, 400, 16)) @ rng.normal(size=(16, 16))
    means = apart * layers.std() * np.arange(3)[:, None, None]
    sizes = []
    for x in (layers + means, layers):
        arrays = {"features": np.ascontiguousarray(x.swapaxes(0, 1), np.float32)}
        data = fc.save(arrays, snr=10, layout={"features": layout})
        back = fc.load(data)["features"]
        assert all(snr(arrays["features"][:, i], back[:, i]) > 9 for i in range(3))
        sizes.append(len(data))
    assert sizes[0] < 1.25 * sizes[1]


@pytest.mark.parametrize("massive", [1e6, pytest.param(1e4, marks=pytest.mark.long)])
def test_a_massive_value_takes_no_bytes_from_other_layers(massive: float) -> None:
    x = np.random.default_rng(0).normal(size=(12, 100, 17)).astype("f4")
    without = len(fc.save({"x": x}, snr=10))
    x[5, 7, 9] = massive
    data = fc.save({"x": x}, snr=10)
    assert fc.load(data)["x"][5, 7, 9] == massive
    assert len(data) < 1.1 * without


def test_gains_are_taken_back_that_give_slices_far_more_than_they_are_to_have() -> None:
    slices = Slices(np.arange(2), np.zeros(4, np.int64), np.arange(3), np.arange(2))
    control = SliceControl(slices, 9.0)

    def after(snrs: list[float]) -> np.ndarray | None:
        noise = 10 ** (-np.array(snrs)[:, None] / 10)
        ones = np.full_like(noise, 1000)
        more = control.next(Measured(np.stack([ones, 0 * ones, ones, noise * 1000]),
                                     np.zeros((4, 1))), 1.0, bits=4000)  # fmt: skip
        return None if more is None else more.gains.exponents.ravel()

    first = after([20.0, 8.0])
    assert first is not None and first[1] < 0
    second = after([20.0, 21.0])
    assert second is not None and first[1] < second[1] <= 0


@pytest.mark.parametrize(
    ("scale", "massive"),
    [
        (0.05, 1e5),
        pytest.param(1, 3e3, marks=pytest.mark.long),
        pytest.param(0.01, 3e3, marks=pytest.mark.long),
    ],
)
def test_a_weak_tensor_beside_a_massive_value_has_the_snr(scale: float, massive: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 8)) @ rng.normal(size=(8, 8)) * [5, 4, 3, 2, 1, 1, 1, 1]
    weak = (rng.normal(size=(34, 8)) @ rng.normal(size=(8, 8)) * scale).astype("f4")
    x[3, 5] = massive
    arrays = {"t0": x.astype("f4"), "t1": weak}
    back = fc.load(fc.save(arrays, snr=30))
    assert snr(weak, back["t1"]) >= 29
