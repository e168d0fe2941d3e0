"""The same everywhere, and true: short forms of `tests/trust/matrix.py` and `truth.py`."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from featcodec import threads

from .trust import matrix, truth
from .trust.standin import constriction as standin

ROOT = Path(__file__).parents[1]


@pytest.mark.long
def test_what_one_machine_encodes_all_decode_to_the_same_symbols(tmp_path: Path) -> None:
    words = ["--here", "--cases", "10dB", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "tests.trust.matrix", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and ", 0 found" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("0 of 6 files are other bytes") == done.stdout.count("encoded in") > 1


def test_other_symbols_and_other_values_are_found(tmp_path: Path) -> None:
    found = matrix.Matrix(tmp_path)
    found.files["a"] = {"name": "x", "by": "one", "lossy": True, "network": False}
    machines = [SimpleNamespace(name=name) for name in ("one", "two", "three")]
    values = np.linspace(1, 2, 50, dtype=np.float32)
    for machine, more, symbols in zip(machines, (0, 1e-6, 1e-3), ([1], [1], [2]), strict=True):
        path = tmp_path / f"{machine.name}.safetensors"
        save_file({"x": values + np.float32(more)}, path)
        stated = {"symbols": symbols, "values": matrix.digest(path)}
        found._compare(machine, "a", stated, path)  # type: ignore[arg-type]
    assert found.other_values == Counter(two=1, three=1)
    [symbols_of, values_of] = found.wrong
    assert "on three: other symbols" in symbols_of and "on three: other values" in values_of
    found.encoded = {"one": {"x": "a"}, "two": {"x": "b"}, "three": {"x": "b"}}
    found.wrong.clear()
    found.promised({"one": "k", "two": "k", "three": "other"})
    assert found.wrong == ["x: other bytes on two than on one"]


@given(st.lists(st.integers(1, 1 << 20), min_size=2, max_size=9), st.data())
def test_what_stands_in_for_constriction_makes_the_same_words(
    weights: list[int], data: st.DataObject
) -> None:
    counts = np.maximum(np.array(weights) * (1 << 24) // sum(weights), 1)
    counts[int(counts.argmax())] += (1 << 24) - counts.sum()
    symbols = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=60))
    words = []
    for library in (constriction, standin):
        model = library.stream.model.Categorical((counts - 1).astype(float), perfect=False)
        coder = library.stream.stack.AnsCoder()
        coder.encode_reverse(np.array(symbols, np.int32), model)
        words.append(coder.get_compressed().tolist())
        decoder = library.stream.stack.AnsCoder(np.array(words[0], np.uint32))
        assert decoder.decode(model, len(symbols)).tolist() == symbols and decoder.is_empty()
    assert words[0] == words[1]


# --- equal bytes --------------------------------------------------------------------------------


def encode(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "featcodec", "encode", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(500, 24)).cumsum(axis=1).astype(np.float32)
    save_file({"x": x}, tmp_path / "x.safetensors", {"layout": "ND"})
    return tmp_path / "x.safetensors"


@pytest.mark.skipif(not threads.kernel(), reason="NumPy has another BLAS")
def test_reproducible_files_are_made_by_one_kernel_or_not_at_all(dump: Path) -> None:
    file = dump.with_suffix(".fcz")
    done = encode(dump, "-o", file, "--reproducible", "--snr", "10")
    set_here = os.environ.get("OPENBLAS_CORETYPE", "Nehalem")
    if set_here != "Nehalem":
        assert done.returncode == 2 and f"it is {set_here}" in done.stderr and not file.exists()
    elif done.returncode:  # of another architecture
        assert done.returncode == 2 and "takes an x86-64 machine" in done.stderr
    else:
        first = file.read_bytes()
        done = encode(dump, "-o", file, "-f", "--reproducible", "--snr", "10", "-j", "2")
        assert done.returncode == 0 and file.read_bytes() == first


def test_nothing_loads_numpy_before_its_kernel_is_chosen() -> None:
    script = "import sys, featcodec.cli.encode; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


# --- truth --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("number", range(4), ids=["layers", "padded", "far", "many"])
def test_files_state_what_is_so(number: int, tmp_path: Path) -> None:
    found = truth.Truth()
    dump = list(truth.made(tmp_path, seed=1))[number]
    truth.check(found, dump, ["snr 10"], tmp_path)
    assert found.looked > 5 and not found.wrong


def test_what_is_not_so_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = truth.featcodec

    def lying(command: str, *words: object) -> str:
        said = tell(command, *words)
        if command != "info":
            return said
        stated = json.loads(said)
        for one in stated["tensors"]:
            for key in ("snr_db", "tenth_of_channels_db", "tenth_of_rows_db"):
                one[key] = one[key] and one[key] + 1
            one["worst_tensor"]["snr_db"] += 1
        stated["file_bytes"] -= 1
        return json.dumps(stated)

    found = truth.Truth()
    monkeypatch.setattr(truth, "featcodec", lying)
    x = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    save_file({"x": x}, tmp_path / "x.safetensors", {"layout": "ND"})
    truth.check(found, tmp_path / "x.safetensors", ["snr 10"], tmp_path)
    words = " ".join(found.wrong)
    for what in ("SNR", "bytes", "x worst", "tenth of the channels", "tenth of the rows"):
        assert what in words, found.wrong
