"""What programs write: features come back at the SNR asked for, all else bit for bit."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from featcodec import Quality, decode_file, encode_file
from featcodec.align.numbers import STORED, to_float
from featcodec.cli import guide
from featcodec.cli.info import describe
from featcodec.dumps import Dump, header_bytes
from featcodec.request import Options

from .producers import PRODUCERS
from .producers import Dump as Made


def write(made: Made, path: Path) -> None:
    described = [(n, dtype, array.shape) for n, (array, dtype) in made.tensors.items()]
    head, _ = header_bytes(described, made.metadata or None)
    path.write_bytes(head + b"".join(array.tobytes() for array, _ in made.tensors.values()))


def snr(ours: np.ndarray, theirs: np.ndarray, dtype: str) -> float:
    x, y = (to_float(a.view(STORED[dtype]), dtype).astype(np.float64) for a in (ours, theirs))
    noise = float(((x - y) ** 2).sum())
    return 10 * math.log10(((x - x.mean()) ** 2).sum() / noise) if noise else math.inf


@pytest.mark.parametrize("name", PRODUCERS)
def test_features_are_coded_and_all_else_comes_back_exactly(name: str, tmp_path: Path) -> None:
    made = PRODUCERS[name]()
    path, file, back = tmp_path / "x.safetensors", tmp_path / "x.fcz", tmp_path / "y.safetensors"
    write(made, path)
    report = encode_file(path, file, Quality(snr=20), verify=True)
    decode_file(file, back)
    found = {tensor.name: np.asarray(tensor.read()) for tensor in Dump(back).tensors}
    assert list(found) == [tensor.name for tensor in Dump(path).tensors]
    assert Dump(back).metadata == (made.metadata or None)
    for key, (array, dtype) in made.tensors.items():
        if key in made.features:
            assert snr(array.reshape(-1), found[key], dtype) < 60, f"{key} is kept bit for bit"
        else:
            assert found[key].tobytes() == array.tobytes(), f"{key} has changed"
    assert report.snr_db >= 20


@pytest.mark.parametrize(
    ("asked", "tag"), [({}, "transformer"), ({"": "cnn"}, "cnn")], ids=["unasked", "asked"]
)
def test_keys_and_values_are_no_maps_unless_somebody_says_so(
    asked: dict[str, str], tag: str, tmp_path: Path
) -> None:
    path, file = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    write(PRODUCERS["kv_cache"](), path)
    encode_file(path, file, Quality(snr=20), options=Options(architectures=asked))
    assert {tensor["architecture"] for tensor in describe(str(file))["tensors"]} == {tag}


def test_the_guide_says_of_every_program_what_is_coded() -> None:
    page = (guide.FOLDER / "dumps.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("|")]
    said = [[set(re.findall(r"`([^`]+)`", cell)) for cell in row[2:4]] for row in rows]
    for name, make in PRODUCERS.items():
        made = make()
        coded = {*made.features}
        exact = made.tensors.keys() - coded
        numbered = {key for key in made.tensors if key.split("_")[-1].isdigit() or ".1." in key}
        wanted = [coded - numbered | {key for key in coded if key.endswith("_0")}, exact]
        assert wanted in said, f"{name}: {wanted}"
