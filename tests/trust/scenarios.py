"""What is killed, or finds no room: each makes a folder, does something in it, and judges it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from featcodec import Writer, safe_open
from featcodec.cli.main import main
from featcodec.errors import Truncated
from featcodec.files import encode_file
from featcodec.request import Quality
from featcodec.writing.recovery import recover_file

MODE = 0o640  # of a file that is replaced
BATCHES, BATCH = 6, 16  # that a writer adds, in samples


def shell(*words: str) -> int:
    """Run a command in this process, and say nothing; return its exit status."""
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    try:
        main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


def values(seed: int, samples: int = 96) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(samples, 9, 32)).astype(np.float16)
    return {"features": tokens, "labels": np.arange(samples)}


def notes(folder: Path) -> Path:
    """Return the file, beside a folder, that has a byte for each flush in it."""
    return folder.with_name(f"{folder.name}.flushed")


@dataclass(frozen=True)
class Scenario:
    """Something that changes files of a folder."""

    targets: tuple[str, ...]  # each is there before, and replaced
    act: Callable[[Path], int]  # returns an exit status

    def prepare(self, folder: Path) -> None:
        """Make the inputs, and what is replaced."""
        for number in range(4):
            save_file(values(number), folder / f"{number}.safetensors", {"layout": "NLD"})
        for name in ("a.fcz", "b.fcz"):
            encode_file(folder / "0.safetensors", folder / name, Quality(snr=12))
        (folder / "tmp").mkdir()
        (folder / "out").mkdir()
        for name in self.targets:
            target = folder / name
            if not target.exists():
                shutil.copy(folder / "b.fcz", target)
            target.chmod(MODE)

    def judge(self, folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> str:
        """Return what came of each target; raise AssertionError when it is neither."""
        found = []
        for name in self.targets:
            data = (folder / name).read_bytes()
            assert data in (before[name], after[name]), f"{name} is neither the old nor the new"
            assert (folder / name).stat().st_mode & 0o777 == MODE, f"{name} has another mode"
            found.append("new" if data == after[name] else "old")
        return found[0] if len(set(found)) == 1 else "some new"


class OfWriter(Scenario):
    """A writer that flushes each batch, and notes what it has flushed."""

    def judge(self, folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> str:
        target, part = folder / "w.fcz", folder / "w.fcz.part"
        data = target.read_bytes()
        assert data in (before["w.fcz"], after["w.fcz"]), "the target is neither"
        noted = notes(folder)
        flushed = noted.stat().st_size * BATCH if noted.exists() else 0
        if not part.exists():
            assert data == after["w.fcz"] or not flushed, "what was flushed is lost"
            return "new" if data == after["w.fcz"] else "old"
        with tempfile.TemporaryDirectory() as room:
            try:
                recover_file(part, Path(room) / "recovered.fcz")
            except Truncated:
                assert not flushed, "what was flushed is lost"
                return "old"
            with safe_open(Path(room) / "recovered.fcz") as file:
                labels, shape = file.get_tensor("labels"), file.get_slice("features").get_shape()
        assert len(labels) >= flushed and len(labels) == shape[0]
        assert np.array_equal(labels, np.arange(len(labels))), "other rows than were added"
        return "new, recovered" if data == after["w.fcz"] else "old, recovered"


def _write(folder: Path) -> int:
    added = values(7, BATCHES * BATCH)
    noted = os.open(notes(folder), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    with Writer(folder / "w.fcz", {"layout": "NLD"}, snr=10) as writer:
        for start in range(0, BATCHES * BATCH, BATCH):
            writer.add({name: array[start : start + BATCH] for name, array in added.items()})
            writer.flush()
            os.write(noted, b".")
    return 0


def _encode(folder: Path) -> int:
    return shell("encode", f"{folder}/1.safetensors", "-o", f"{folder}/x.fcz", "-f", "--snr", "10")


def _batch(folder: Path) -> int:
    dumps = [f"{folder}/{number}.safetensors" for number in range(4)]
    return shell("encode", *dumps, "--output-dir", f"{folder}/out", "-f", "-j", "2", "--snr", "9")


def _decode(folder: Path) -> int:
    return shell("decode", f"{folder}/a.fcz", "-o", f"{folder}/x.safetensors", "-f")


def _archive(folder: Path) -> int:
    return shell("decode", f"{folder}/a.fcz", "-o", f"{folder}/x.npz", "-f")


def _append(folder: Path) -> int:
    return shell("append", f"{folder}/a.fcz", f"{folder}/1.safetensors")


def _concat(folder: Path) -> int:
    return shell("concat", f"{folder}/a.fcz", f"{folder}/b.fcz", "-o", f"{folder}/x.fcz", "-f")


def _train(folder: Path) -> int:
    dumps = [f"{folder}/{number}.safetensors" for number in (0, 1)]
    return shell("train", *dumps, "-o", f"{folder}/x.fcp", "-f")


SCENARIOS = {
    "encode": Scenario(("x.fcz",), _encode),
    "decode": Scenario(("x.safetensors",), _decode),
    "decode to npz": Scenario(("x.npz",), _archive),
    "append": Scenario(("a.fcz",), _append),
    "concat": Scenario(("x.fcz",), _concat),
    "train": Scenario(("x.fcp",), _train),
    "writer": OfWriter(("w.fcz",), _write),
    "batch -j 2": Scenario(tuple(f"out/{number}.fcz" for number in range(4)), _batch),
}
