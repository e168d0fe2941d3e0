"""What a stranger writes in Python on the first day: mistakes are answered with what to write."""

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import featcodec.numpy as fc
from featcodec import Codec, Profile, Quality, Writer, decode_file, encode_file, safe_open
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput, InvalidStream, ProfileMissing, Truncated
from featcodec.joining import append_file
from featcodec.request import Options, RowGroupSize
from featcodec.salvage import salvage_file
from featcodec.training.linear import train

X = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- what is asked for, and serves no tensor ----------------------------------------------------


def write(tensors: dict, metadata: dict | None = None, **asked: Any) -> None:
    with Writer("x.fcz", metadata, **asked) as writer:
        writer.add(tensors)


@pytest.mark.parametrize("shape", [(100, 20, 32), (400, 32)])
def test_an_ignored_layout_changes_nothing(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).cumsum(axis=1).astype(np.float32)
    plain = fc.save({"x": x}, snr=10)
    for asked in ("NCHW", "NLCD"):
        with pytest.warns(UserWarning, match="is ignored"):
            assert fc.save({"x": x}, layout=asked, snr=10) == plain


@pytest.mark.parametrize("save", [fc.save, write])
def test_a_layout_or_a_rule_that_no_tensor_takes_is_warned_of(save: Any) -> None:
    axes = r"layout 'NCHW' is ignored: it has 4 axes, and the tensors of floats have 2"
    with pytest.warns(UserWarning, match=axes) as caught:
        save({"x": X, "ids": np.zeros((2, 2, 2, 2), int)}, layout="NCHW")
    assert [one.filename for one in caught] == [__file__]  # where the user's line is
    with pytest.warns(UserWarning, match="no tensor has a name like 'kv.*'"):
        save({"x": X, "y": X}, rules={"kv.*": "snr:30", "y": "drop"})
    with pytest.warns(UserWarning, match="'ids' matches is no floats"):
        save({"x": X, "ids": np.arange(3)}, rules={"ids": "snr:30"})


@pytest.mark.parametrize("save", [fc.save, write])
def test_what_serves_a_tensor_is_not_warned_of(save: Any) -> None:
    save({"x": X, "y": X[0]}, layout="LD", rules={"x": "snr:30"})
    save({"ids": np.arange(3)}, layout="NCHW")  # which no layout is for
    save({"x": X}, {"layout": "LD"})


def test_so_it_is_with_metadata_and_files() -> None:
    with pytest.warns(UserWarning, match="layout 'NCHW' fits none of the features"):
        fc.save_file({"x": X}, "x.fcz", {"layout": "NCHW"})
    np.save("x.npy", X)
    report = encode_file("x.npy", "y.fcz", options=Options(layouts={"": "NCHW"}))
    assert [line for line in report.remarks if "layout 'NCHW' is ignored" in line]


# --- arguments of another kind ------------------------------------------------------------------


def test_a_row_group_is_a_number_of_samples_or_a_text() -> None:
    x = np.tile(X, (9, 1))
    found = [fc.save({"x": x}, row_group=size) for size in (16, np.int64(16), "16", None)]
    assert found[0] == found[1] == found[2] != found[3]
    for size in (0, -1, 2.5, True, "16 MB", "", b"16"):
        with pytest.raises(InvalidInput, match="give samples, 16, or bytes, 64kB or 1MB"):
            fc.save({"x": x}, row_group=size)  # type: ignore[arg-type]
    assert Options(row_group=RowGroupSize.parse(16)).row_group.samples == 16
    with pytest.raises(InvalidInput, match=r"write row_group=RowGroupSize.parse\('64kB'\)"):
        Options(row_group="64kB")  # type: ignore[arg-type]


def test_dictionaries_in_dictionaries_are_to_be_flattened() -> None:
    for save in (fc.save, write):
        with pytest.raises(InvalidInput, match=r"'a' is a dictionary: .* such as 'a.b'"):
            save({"a": {"b": X}})
    torch = pytest.importorskip("torch")
    import featcodec.torch as ft

    with pytest.raises(InvalidInput, match=r"flatten it, to names such as 'kv.0'"):
        ft.save({"kv": {0: torch.ones(3)}})


@pytest.mark.parametrize("name", ["layout", "rules"])
def test_what_is_asked_by_name_is_a_dictionary(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is a list; give a dictionary"):
        fc.save({"x": X}, **{name: ["NCHW"]})  # type: ignore[arg-type]


def test_record_takes_a_module_and_an_open_writer() -> None:
    torch = pytest.importorskip("torch")
    from featcodec.torch import record

    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    for writer in ("x.fcz", print):
        said = "writer is a .*; open one first: with featcodec.Writer"
        with pytest.raises(InvalidInput, match=said), record(model, {"0": "x"}, writer):
            pass
    with (
        pytest.raises(InvalidInput, match=r"model is a function; give a torch.nn.Module"),
        record(lambda x: x, {"0": "x"}, print),
    ):
        pass


def test_sensitivity_takes_arrays_of_floats_and_nothing_else() -> None:
    torch = pytest.importorskip("torch")
    from featcodec.torch import sensitivity

    head = torch.nn.Linear(8, 3)
    wanted = sensitivity(head, torch.from_numpy(X))
    still = X.copy()
    still.flags.writeable = False
    for given in (X, still, X.astype(">f4"), np.ascontiguousarray(X[::-1])[::-1]):
        assert torch.equal(sensitivity(head, given), wanted)
    for other in (X.tolist(), X.astype(int), torch.ones(4, 8).long(), "x", None):
        with pytest.raises(InvalidInput, match="give a tensor of floats"):
            sensitivity(head, other)  # type: ignore[arg-type]
    for draws in (0, 2.5):
        with pytest.raises(InvalidInput, match="draws must be a whole number of 1 or more"):
            sensitivity(head, X, draws=draws)  # type: ignore[arg-type]


# --- profiles -----------------------------------------------------------------------------------


@pytest.fixture
def trained(folder: Path) -> Profile:
    """A profile in x.fcp, which serves x.npy."""
    np.save("x.npy", X)
    Path("x.fcp").write_bytes(Profile.pack(train([Dump("x.npy")], Options())))
    return Profile.load("x.fcp")


def test_a_profile_may_be_given_as_such_or_by_its_path(trained: Profile) -> None:
    made = set()
    for given in (trained, "x.fcp", Path("x.fcp")):
        encode_file("x.npy", "x.fcz", Quality(snr=10), profile=given, overwrite=True)
        append_file("x.fcz", ["x.npy"], profile=given)
        made.add(Path("x.fcz").read_bytes())
    assert len(made) == 1
    Path("x.fcp").rename("hidden")  # where it is not found by its hash
    for given in (trained, "hidden", [trained], ("caufc", Path("hidden"))):
        decode_file("x.fcz", "back.npy", profile=given, overwrite=True)
        salvage_file("x.fcz", "back.npy", profile=given, overwrite=True)
        assert len(fc.load_file("x.fcz", profile=given)["features"]) == 2 * len(X)
    with pytest.raises(ProfileMissing):
        decode_file("x.fcz", "other.npy", profile="caufc")


def test_what_is_no_profile_is_said_to_be_none(trained: Profile) -> None:
    Path("y.fcz").write_bytes(fc.save({"x": X}))
    uses: list[Callable[[Any], object]] = [
        lambda other: fc.save({"x": X}, profile=other),
        lambda other: encode_file("x.npy", "z.fcz", profile=other),
        lambda other: decode_file("y.fcz", "y.npy", profile=other),
        lambda other: append_file("y.fcz", ["x.npy"], profile=other),
        lambda other: Writer("z.fcz", profile=other),
        Codec,
    ]
    for use, other in product(uses, (5, b"x.fcp")):
        with pytest.raises(InvalidInput, match="give a Profile, its path or its name"):
            use(other)
    with pytest.raises(InvalidInput, match="profile is a list"):
        fc.save({"x": X}, profile=[trained])
    with pytest.raises(InvalidInput, match="messages need a profile"):
        Codec(None)  # type: ignore[arg-type]


# --- messages -----------------------------------------------------------------------------------


def test_arguments_that_there_are_not_are_answered_with_those_that_there_are(
    trained: Profile,
) -> None:
    with pytest.raises(TypeError, match=r"Codec takes no argument 'srn'; did you mean 'snr'\?"):
        Codec(trained, srn=10)
    with pytest.raises(TypeError, match="'device'; it takes filename, profile, jobs, memory"):
        fc.load_file("x.fcz", device="cpu")  # type: ignore[call-arg]
    for save in (fc.save, write):
        for wrong, right in (("layouts", "layout"), ("SNR", "snr"), ("max_err", "max_error")):
            why = f"takes no argument '{wrong}'; did you mean '{right}'?"
            with pytest.raises(TypeError, match=why):
                save({"x": X}, **{wrong: 1})
        with pytest.raises(TypeError, match="'quality'; a quality is one of snr, bpfp, max_error"):
            save({"x": X}, quality=10)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"snr": "ten"}, r"quality=Quality\(snr=...\)"),
        ({"lossless": True}, r"quality=Quality\(lossless=...\)"),
        ({"layout": "NLD"}, r"options=Options\(layouts=...\)"),
        ({"jobs": 2}, r"options=Options\(jobs=...\)"),
        ({"overwrit": True}, "did you mean 'overwrite'"),
    ],
)
def test_what_files_are_asked_is_answered_with_where_to_write_it(
    wrong: dict[str, Any], right: str
) -> None:
    for call in (partial(encode_file, "x.npy"), partial(append_file, "x.fcz")):
        if call.func is append_file and "overwrit" in wrong:
            continue
        with pytest.raises(TypeError, match=f"takes no argument '{next(iter(wrong))}'; .*{right}"):
            call("y.fcz", **wrong)  # type: ignore[arg-type]


def test_what_is_no_array_of_floats_is_said_to_be_none(trained: Profile) -> None:
    codec = Codec(trained, snr=10)
    for other in (None, "x", {"x": X}, [None, 1]):
        kind = "None" if other is None else f"a {type(other).__name__}"
        with pytest.raises(InvalidInput, match=f"is {kind}; give a NumPy array"):
            codec.encode(other)
    for several in ([X, X], (X,)):
        with pytest.raises(InvalidInput, match="of arrays; give each a name of its own"):
            codec.encode(several)
    with pytest.raises(InvalidInput, match="holds floats, not int64: convert the array, or save"):
        codec.encode(X.astype(int))


def test_messages_that_are_not_cut_as_they_came_are_said_to_be(trained: Profile) -> None:
    codec = Codec(trained, snr=10)
    message = codec.encode(X)
    for other in (message + message, message[:-1], message + b"x"):
        with pytest.raises(InvalidStream, match="damaged, or not one alone and whole"):
            codec.decode(other)
    with pytest.raises(Truncated, match="a message of no bytes"):
        codec.decode(b"")
    with pytest.raises(InvalidStream, match=r"file is no message; load of featcodec\.numpy"):
        codec.decode(fc.save({"x": X}))


def test_torch_is_missed_when_a_codec_is_made(
    trained: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "featcodec.torch.tensors", raising=False)
    monkeypatch.delitem(sys.modules, "featcodec.torch", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'featcodec\[torch\]'"):
        Codec(trained, framework="torch")


def test_tensors_are_named_as_what_they_are(trained: Profile) -> None:
    torch = pytest.importorskip("torch")
    import featcodec.torch as ft

    sparse = torch.ones(2, 8).to_sparse()
    with pytest.raises(InvalidInput, match=r"^the array is sparse"):
        Codec(trained).encode(sparse)
    with pytest.raises(InvalidInput, match=r"^tensor 'x' is sparse"):
        ft.save({"x": sparse})


def test_what_objects_are_is_read_at_a_glance(trained: Profile, tmp_path: Path) -> None:
    assert repr(Quality(snr=10)) == "Quality(snr=10)"
    assert repr(Quality(lossless=True)) == "Quality(lossless=True)"
    assert eval(repr(Quality.choose())) == Quality.choose()
    weights = Profile.load("caufc")
    for profile, holds in ((trained, f"{len(trained.entries)} entr"), (weights, "a network; SHA")):
        assert holds in repr(profile) and profile.digest.hex() in repr(profile)
        assert len(repr(profile)) < 200 and len(repr(profile.network)) < 2000
    assert all(len(repr(entry)) < 500 for entry in trained.entries)
    assert "recommended" not in repr(Codec(trained))
    with Writer(tmp_path / "x.fcz", snr=10) as writer:
        assert repr(writer) == f"<Writer {tmp_path / 'x.fcz'}, open>"
        writer.add({"x": X, "labels": np.arange(len(X))})
    assert repr(writer).endswith("closed>")
    with safe_open(tmp_path / "x.fcz") as file:
        assert repr(file) == f"<safe_open {tmp_path / 'x.fcz'}: 'x', 'labels'>"
        assert repr(file.get_slice("x")) == f"<Slice 'x': F32 {list(X.shape)}>"


def test_arguments_of_another_kind_are_answered_with_the_right_one(tmp_path: Path) -> None:
    dump, file = tmp_path / "x.npy", tmp_path / "x.fcz"

    def encoded(*given: Any, **options: Any) -> Any:
        return encode_file(dump, file, *given, **options)

    np.save(dump, X)
    for call, why in (
        (lambda: encoded(10), r"quality takes a value such as Quality\(snr=10\), not 10"),
        (lambda: encoded(options={"layout": "NLD"}), "options takes a value such as Options"),
        (lambda: append_file(file, [dump], 10), "quality takes a value such as"),  # type: ignore
        (lambda: fc.save({"x": X}, "NCHW"), "metadata is a str; give a dictionary"),
        (lambda: Quality(snr=True), "snr must be a positive number, not True"),
        (lambda: Quality(snr=10**400), "snr must be a positive number, not 1000"),
        (lambda: Options(layouts="NLD"), "layouts is a str; give a dictionary"),  # type: ignore
        (lambda: Options(rules=["kv.*"]), "rules is a list; give a dictionary"),  # type: ignore
        (lambda: Options(jobs=0), "jobs must be a whole number of 1 or more, not 0"),
        (lambda: fc.load_file(BytesIO(fc.save({})), jobs=-1), "jobs must be a whole number"),
        (lambda: decode_file(file, "y.npy", jobs="2"), "jobs must be a whole number"),  # type: ignore
        (lambda: encode_file(3, file), "an int is no file; give a path"),  # type: ignore
        (lambda: encode_file(X, file), "an ndarray is no file; .* save_file"),  # type: ignore
        (lambda: encode_file({"x": X}, file), "a dict is no file; .* save_file"),  # type: ignore
        (lambda: encode_file(dump, None), "None is no file; give a path"),  # type: ignore
        (lambda: Writer(3), "an int is no path"),  # type: ignore
    ):
        with pytest.raises(InvalidInput, match=why):
            call()
    assert list(tmp_path.iterdir()) == [dump]
