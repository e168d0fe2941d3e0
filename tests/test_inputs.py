"""Dumps of NumPy and torch: the same tensors as in safetensors, or one clear line."""

import io
import itertools
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

from featcodec import decode_file, encode_file, safe_open
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput
from featcodec.inputs import spool
from featcodec.request import Options, Quality

TYPES = [
    "?",
    "u1",
    "i1",
    "<u2",
    ">u2",
    "<i4",
    ">i8",
    "<u8",
    "<f2",
    ">f2",
    "<f4",
    ">f4",
    ">f8",
    "<c8",
]
LOSSLESS = Quality(lossless=True)
SAVE: dict[str, Callable[..., None]] = {
    "stored": np.savez,
    "packed": np.savez_compressed,
    "npy": lambda path, x: np.save(path, x),
}

arrays = st.sampled_from(TYPES).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
orders = st.sampled_from(["C", "F"])


def little(array: np.ndarray) -> bytes:
    """Return the bytes of an array in C order, little-endian."""
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def read(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {t.name: (t.dtype, t.shape, np.asarray(t.read()).tobytes()) for t in Dump(path).tensors}


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SAVE)
@given(array=arrays, order=orders)
def test_an_array_is_read_as_numpy_reads_it(
    kind: str, array: np.ndarray, order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("x") / ("x.npy" if kind == "npy" else "x.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "CHUNK", 7)  # so that all is laid out in pieces
        SAVE[kind](path, x=np.asarray(array, order=order))
        [(name, (_, shape, data))] = read(path).items()
    assert name == ("features" if kind == "npy" else "x")
    assert shape == array.shape and data == little(array)


@pytest.mark.parametrize("kind", SAVE)
def test_the_file_is_the_same_whatever_the_dump_is(kind: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 8, 33)).astype(np.float32)
    path, name = tmp_path / ("x.npy" if kind == "npy" else "x.npz"), "features"
    save_file({name: x}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "a.fcz", verify=True)
    turned = np.asfortranarray(x.astype(">f4"))
    SAVE[kind](path, turned) if kind == "npy" else SAVE[kind](path, **{name: turned})
    path = path.rename(tmp_path / "anything")  # the content tells, not the name
    encode_file(path, tmp_path / "b.fcz", verify=True)
    assert (tmp_path / "b.fcz").read_bytes() == (tmp_path / "a.fcz").read_bytes()


def test_members_of_an_archive_are_not_all_in_memory(tmp_path: Path) -> None:
    path, each = tmp_path / "x.npz", 1 << 20
    np.savez_compressed(path, **{f"x{i}": np.full(each, i, np.int32) for i in range(12)})
    dump = Dump(path)
    tracemalloc.start()
    for i, tensor in enumerate(dump.tensors):
        assert np.asarray(tensor.read()[-4:]).tolist() == [i] * 4
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * each + (4 << 20)


def test_a_large_array_is_read_where_it_is_wanted(tmp_path: Path) -> None:
    path, values = tmp_path / "x.npy", 1 << 23
    with path.open("wb") as out:
        np.lib.format.write_array_header_1_0(
            out, {"descr": "<f4", "fortran_order": False, "shape": (values,)}
        )
        out.truncate(out.tell() + 4 * values)
    tracemalloc.start()
    assert np.asarray(Dump(path).tensors[0].read()[:5]).tolist() == [0] * 5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", SAVE)
def test_a_dump_that_changes_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("x.npy" if kind == "npy" else "x.npz")
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(400, 500)))
    SAVE[kind](path, x) if kind == "npy" else SAVE[kind](path, x=x)
    dump = Dump(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InvalidInput, match=r"x\.np[yz] has changed|ends before"):
        np.asarray(dump.tensors[0].read())


# --- what is refused ----------------------------------------------------------------------------

REFUSED = {
    "Python objects": np.array([1, None], object),
    "structured .fields a, b.": np.zeros(3, [("a", "f4"), ("b", "i4")]),
    "without a type, as NumPy stores bfloat16": np.zeros(3, "V2"),
    "text": np.array(["a"]),
    "dates": np.zeros(3, "M8[s]"),
    "complex128": np.zeros(3, "c16"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_no_tensor_is_refused_by_name_and_can_be_dropped(why: str, tmp_path: Path) -> None:
    path, out = tmp_path / "x.npz", tmp_path / "x.fcz"
    np.savez(path, x=np.arange(5), bad=REFUSED[why])
    with pytest.raises(InvalidInput, match=rf"'bad' .*{why}.* with rules={{'bad': 'drop'}}$"):
        encode_file(path, out)
    encode_file(path, out, options=Options(rules={"bad": "drop"}), verify=True)
    decode_file(out, tmp_path / "y.safetensors")
    assert list(load_file(tmp_path / "y.safetensors")) == ["x"]
    np.save(tmp_path / "x.npy", REFUSED[why], allow_pickle=True)
    with pytest.raises(InvalidInput, match=why):
        Dump(tmp_path / "x.npy")


def npy(shape: object, descr: object = "<f4", data: bytes = bytes(16)) -> bytes:
    out = io.BytesIO()
    described = {"descr": descr, "fortran_order": False, "shape": shape}
    text = (repr(described) + "\n").encode()
    out.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data)
    return out.getvalue()


UNSOUND = {
    "cut off": npy((4,))[:-1],
    "with more behind it": npy((4,)) + b"more",
    "larger than the file": npy((1 << 40,)),
    "of more values than there can be": npy((1 << 62, 1 << 62), data=b""),
    "of negative length": npy((-1, -4)),
    "of many axes": npy((1,) * 17 + (4,)),
    "of an unknown type": npy((4,), "<x9"),
    "of float8 of ml_dtypes": npy((16,), "<f1"),
    "that is no dictionary": b"\x93NUMPY\1\0\4\0[1]\n",
    "with a header without end": b"\x93NUMPY\2\0" + struct.pack("<I", (1 << 32) - 1) + b" " * 99,
    "of a later version": b"\x93NUMPY\3\0" + bytes(60),
    "with nothing": b"\x93NUMPY",
}


@pytest.mark.parametrize("what", UNSOUND)
@pytest.mark.parametrize("packed", [False, True])
def test_an_unsound_array_is_one_clear_line(what: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("x.npz" if packed else "x.npy")
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", UNSOUND[what])
    else:
        path.write_bytes(UNSOUND[what])
    with pytest.raises(InvalidInput) as error:
        encode_file(path, tmp_path / "x.fcz")
    assert ("'x'" if packed else "x.npy") in str(error.value)
    assert "\n" not in str(error.value) and not (tmp_path / "x.fcz").exists()


def archive(path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(path, a=rng.normal(size=(30, 30)), b=np.arange(50))


@pytest.mark.long
def test_whatever_the_directory_of_an_archive_says_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    archive(path)
    wanted, data = read(path), path.read_bytes()
    for at in range(data.index(b"PK\1\2"), len(data)):
        for width, fill in itertools.product((1, 2, 4), (b"\0", b"\xff", b"\x7f")):
            path.write_bytes((data[:at] + fill * width + data[at + width :])[: len(data)])
            try:
                found = read(path)
            except InvalidInput as error:
                assert "\n" not in str(error)
            else:
                assert {*found.values()} <= {*wanted.values()}


@given(place=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_archive_is_never_coded_as_something_else(
    place: float, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    path, out = folder / "x.npz", folder / "x.fcz"
    archive(path)
    wanted, data = read(path), bytearray(path.read_bytes())
    at = int(place * len(data))
    if cut:
        del data[at:]
    else:
        data[at] ^= 0x55
    path.write_bytes(data)
    try:
        encode_file(path, out, LOSSLESS)
    except InvalidInput as error:
        assert "\n" not in str(error) and not out.exists()
    else:  # where nothing that counts is stored
        decode_file(out, folder / "y.safetensors")
        assert {entry[1:] for entry in read(folder / "y.safetensors").values()} <= {
            entry[1:] for entry in wanted.values()
        }


def test_a_bomb_is_refused_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros(1 << 22, np.float32))
    assert path.stat().st_size < 1 << 16
    monkeypatch.setattr(spool, "SPARE", 1 << 60)
    with pytest.raises(
        InvalidInput, match=r"'x' takes 16,777,216 bytes of temporary files.*TMPDIR"
    ):
        encode_file(path, tmp_path / "x.fcz")


def test_an_archive_that_says_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy((4,), data=bytes(1 << 20)))
    with pytest.raises(InvalidInput, match=r"'x' has .* where its header states"):
        encode_file(path, tmp_path / "x.fcz")


def test_names_of_an_archive_are_distinct(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy((4,)))
        archive.writestr("x", npy((4,)))
    with pytest.raises(InvalidInput, match="holds 'x' twice"):
        Dump(path)


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.long
@given(given=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), arrays, max_size=4))
def test_arrays_come_back_from_an_archive(
    given: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    given = {k: v for k, v in given.items() if not set(k) & {"\0", "/", "\\"}}
    save_file({k: v.astype(v.dtype.newbyteorder("<")) for k, v in given.items()}, folder / "x")
    encode_file(folder / "x", folder / "x.fcz", LOSSLESS)
    decode_file(folder / "x.fcz", folder / "y.npz")
    with np.load(folder / "y.npz") as found:
        assert {k: (found[k].shape, little(found[k])) for k in found.files} == {
            k: (v.shape, little(v)) for k, v in given.items()
        }
    for name, array in given.items():
        decode_file(folder / "x.fcz", folder / "y.npy", tensors=name, overwrite=True)
        found = np.load(folder / "y.npy")
        assert found.shape == array.shape and little(found) == little(array)


def test_an_archive_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    save_file({"x": np.ones((5, 5), np.float32)}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz")
    for name in ("a.npz", "b.npz"):
        decode_file(tmp_path / "x.fcz", tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == [
        "a.npz", "b.npz", "x.fcz", "x.safetensors",
    ]  # fmt: skip


def test_what_a_kind_of_file_cannot_hold_is_said_before_anything_is_decoded(
    tmp_path: Path,
) -> None:
    save_file({"x": np.ones((5, 5), np.float32), "y": np.ones(3)}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz")
    with pytest.raises(InvalidInput, match=r"'y' has type BF16, which a \.npz file cannot hold"):
        decode_file(tmp_path / "x.fcz", tmp_path / "y.npz", dtype="BF16")
    with pytest.raises(InvalidInput, match=r"holds one array, here are 2: .* tensors=\[NAME\]"):
        decode_file(tmp_path / "x.fcz", tmp_path / "y.npy")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.long
def test_the_shell_takes_all_kinds(tmp_path: Path) -> None:
    archive(tmp_path / "x.npz")
    script = (
        'featcodec() { python -m featcodec "$@"; }; python() { "$PYTHON" "$@"; };'
        "featcodec encode x.npz -q && featcodec decode x.fcz -q --tensor a -o a.npy"
        " && featcodec encode - < a.npy | featcodec decode - > y.safetensors"
    )
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment, check=True)
    assert np.load(tmp_path / "a.npy").shape == (30, 30)
    assert load_file(tmp_path / "y.safetensors")["features"].shape == (30, 30)


# --- torch --------------------------------------------------------------------------------------


def test_without_torch_its_files_name_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("featcodec.torch")]:
        monkeypatch.delitem(sys.modules, name)  # another test may have loaded any of them
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04" + bytes(26) + b"archive/data.pkl" + bytes(99))
    with pytest.raises(InvalidInput, match=r"x\.pt is a torch file.*pip install 'featcodec\[torch"):
        encode_file(tmp_path / "x.pt", tmp_path / "x.fcz")
    archive(tmp_path / "x.npz")
    encode_file(tmp_path / "x.npz", tmp_path / "x.fcz")
    with pytest.raises(InvalidInput, match=r"y\.pt is a torch file.*pip install 'featcodec\[torch"):
        decode_file(tmp_path / "x.fcz", tmp_path / "y.pt")


@pytest.mark.parametrize("new", [True, False])
def test_tensors_of_torch_have_dotted_names(tmp_path: Path, new: bool) -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(60.0).reshape(3, 4, 5)
    found = {
        "a": x,
        "state": {"layer": [x.transpose(0, 2), {"b": x[1]}], "epoch": 3, 7: (x[:, ::2],)},
        "half": torch.ones(4, dtype=torch.bfloat16),
        "turned": torch.full((3,), 1 + 2j).conj(),
        "wide": torch.ones(1).expand(9, 9),
        "weight": torch.nn.Parameter(x),
        "empty": torch.zeros(0, 4),
    }
    if new:  # older files know no such type
        found["tiny"] = torch.ones(4, 2).to(torch.float8_e4m3fn)
    torch.save(found, tmp_path / "x.pt", _use_new_zipfile_serialization=new)
    report = encode_file(tmp_path / "x.pt", tmp_path / "x.fcz", LOSSLESS, verify=True)
    assert report.remarks == ("left out, for they are no tensors: state.epoch",)
    decode_file(tmp_path / "x.fcz", tmp_path / "y.pt")
    back = torch.load(tmp_path / "y.pt", weights_only=True)
    wanted = {
        **{k: v for k, v in found.items() if k != "state"},
        "state.layer.0": x.transpose(0, 2),
        "state.layer.1.b": x[1],
        "state.7.0": x[:, ::2],
    }
    assert back.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert back[name].dtype == tensor.dtype and back[name].shape == tensor.shape
        assert torch.equal(back[name].to(torch.complex64), tensor.to(torch.complex64)), name


def test_a_name_of_torch_that_is_empty_stays_so_and_takes_no_other(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for found in ({"features": torch.zeros(4), "": torch.ones(3)}, {"": torch.ones(3)}, None):
        torch.save(torch.ones(3) if found is None else found, tmp_path / "x.pt")
        encode_file(tmp_path / "x.pt", tmp_path / "x.fcz", LOSSLESS, overwrite=True)
        with safe_open(tmp_path / "x.fcz") as file:
            back = {name: file.get_tensor(name).tolist() for name in file.keys()}  # noqa: SIM118
        wanted = {"features": torch.ones(3)} if found is None else found
        assert back == {name: x.tolist() for name, x in wanted.items()}


def test_a_torch_file_that_is_cut_off_kills_nobody(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path, x = tmp_path / "x.pt", torch.arange(1 << 20).reshape(1 << 10, 1 << 10)
    torch.save({"x": x, "turned": x.T, "part": x[5:9]}, path)
    with Dump(path) as dump:
        read = {tensor.name: tensor.read for tensor in dump.tensors}
        arrays = {name: read[name]() for name in ("x", "part")}
        np.testing.assert_array_equal(np.asarray(arrays["x"]).reshape(x.shape), x.numpy())
        np.testing.assert_array_equal(np.asarray(arrays["part"]), x[5:9].numpy().ravel())
        os.truncate(path, 5000)  # who touched a map of it now would be killed
        for name in read:
            with pytest.raises(InvalidInput, match=r"x\.pt has changed"):
                np.asarray(arrays[name] if name in arrays else read[name]())


def test_values_that_are_not_in_a_torch_file_are_not_made_up(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path, x = tmp_path / "x.pt", torch.arange(24.0).reshape(4, 6)
    torch.save({"a": x, "b": x.T.bfloat16()}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    keys = data.rindex(pickle.PROTO + b"\x02]")  # the list of what follows, from here to STOP
    empty = data[:keys] + pickle.dumps([], protocol=2)
    path.write_bytes(empty)  # torch itself takes it, with whatever was in memory
    assert torch.load(path, weights_only=True)["a"].shape == x.shape
    with pytest.raises(InvalidInput, match="values of a tensor are not all in it"):
        Dump(path)


def test_values_that_end_before_their_tensor_in_a_torch_file_are_not_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(24.0), "b": torch.ones(24)}, path)
    with zipfile.ZipFile(path) as old:
        members = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for info, content in members:
            new.writestr(info.filename, content[:50] if info.filename.endswith("/0") else content)
    with pytest.raises(InvalidInput, match="values of a tensor are not all in it"):
        Dump(path)


@pytest.mark.parametrize("found", [b"x/data/0", b"PK\x03\x04"])
def test_members_that_are_not_what_their_archive_lists_are_not_read(
    tmp_path: Path, found: bytes
) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(24.0)}, path)
    data = path.read_bytes()
    at = data.rindex(found, 0, data.index(b"data/0") + 6)  # before the directory
    path.write_bytes(data[:at] + b"?" + data[at + 1 :])  # torch takes it, with what was in memory
    with pytest.raises(InvalidInput, match="is damaged"):
        Dump(path)


def test_what_a_damaged_archive_holds_is_not_shown(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(24.0), b=np.arange(999.0))
    kinds = {"x.npz": b"a.npy"}
    if find_spec("torch"):
        import torch

        torch.save({"a": torch.arange(24.0), "b": torch.arange(999.0)}, tmp_path / "x.pt")
        kinds["x.pt"] = b"x/data/0"
    for name, member in kinds.items():
        data = bytearray((tmp_path / name).read_bytes())
        at = data.index(member)
        data[at - 4 : at - 2] = b"\xff\x0f"  # the name of the member is that long
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidInput, match=r"is damaged|cannot be unpacked") as error:
            encode_file(tmp_path / name, tmp_path / "x.fcz")
        assert len(str(error.value)) < 500


def test_a_member_that_torch_takes_for_a_folder_is_not_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    torch.save({"a": torch.arange(24.0)}, path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"x/data/0") - 8] |= 0x10  # its attributes in the directory
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="'x/data/0' is marked as a folder"):
        Dump(path)


def test_what_torch_cannot_read_safely_is_not_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for name, found in (
        ("code.pt", {"a": slice(1)}),
        ("array.pt", np.ones(3)),
        ("none.pt", {"epoch": 3}),
        ("clash.pt", {"a.b": torch.ones(1), "a": {"b": torch.ones(1)}}),
    ):
        torch.save(found, tmp_path / name)
        with pytest.raises(InvalidInput, match=name) as error:
            encode_file(tmp_path / name, tmp_path / "x.fcz")
        assert "\n" not in str(error.value)
    torch.save({"a": torch.ones(99, 9)}, tmp_path / "x.pt")
    whole = (tmp_path / "x.pt").read_bytes()
    for length in (600, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match=r"cut\.pt"):
            encode_file(tmp_path / "cut.pt", tmp_path / "x.fcz")


def test_a_long_name_in_a_torch_file_is_refused_at_once(tmp_path: Path) -> None:
    """Torch looks into what it says of it for a time that grows with its square: 25 seconds."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    torch.save({"x": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    name = b"ctorch\nFloatStorage\n"
    data = path.read_bytes()
    assert name in data
    path.write_bytes(data.replace(name, b"ctorch\n" + b"F" * 40_000 + b"\n"))
    began = time.process_time()
    with pytest.raises(InvalidInput, match="no file of tensors alone"):
        Dump(path)
    assert time.process_time() - began < 5


def test_arrays_in_a_torch_file_are_said_to_be_arrays(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for found in (np.ones(3), {"a": torch.ones(3), "b": np.ones(3)}, {"lr": np.float64(1)}):
        torch.save(found, tmp_path / "x.pt")
        with pytest.raises(InvalidInput, match=r"x\.pt holds NumPy .*torch\.from_numpy"):
            encode_file(tmp_path / "x.pt", tmp_path / "x.fcz")


def test_sparse_tensors_of_torch_can_be_dropped(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(3, 3), "s": torch.ones(3).to_sparse()}, tmp_path / "x.pt")
    with pytest.raises(InvalidInput, match=r"'s' is sparse .* with rules={'s': 'drop'}$"):
        encode_file(tmp_path / "x.pt", tmp_path / "x.fcz")
    encode_file(tmp_path / "x.pt", tmp_path / "x.fcz", options=Options(rules={"s": "drop"}))
