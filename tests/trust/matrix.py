"""The same everywhere: what one machine encodes, all others decode to the same symbols.

    python -m tests.trust.matrix --seed 1

Each machine (Python, NumPy, kernels of BLAS, NumPy and torch, threads, numba, emulated
architectures) encodes the same dumps. Every file that came of it is decoded by every machine:
symbols are the same, values the same within the tolerance of SPEC 6.1, bit for bit where that is
promised. Ends with status 1 when any differ, and says how many files were other bytes than those
of the first machine.
"""

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from . import machines
from .machines import ROOT, Machine

DIGITS = ROOT / "tests" / "digits"
VECTORS = ROOT / "bitstream_spec" / "vectors"
SMALL = 12_000  # values of a dump for emulated machines
LARGE = 150_000  # and for others
TOLERANCE = 2**-15, 2**-12  # of value and deviation, without and with a network (SPEC 6.1, 9.5)


def made(rng: np.random.Generator, values: int) -> Iterator[tuple[str, dict, dict]]:
    """Yield dumps of several kinds: their names, tensors and metadata."""
    rows = values // 96
    basis = rng.normal(size=(96, 96)) * np.exp(-np.arange(96) / 12)
    tokens = (rng.normal(size=(rows, 96)) @ basis + rng.normal(size=96)).astype(np.float32)
    yield "tokens", {"x": tokens}, {"layout": "ND"}
    maps = rng.normal(size=(max(values // 4096, 1), 16, 16, 16)).cumsum(2).cumsum(3) - 3
    yield "maps", {"x": np.maximum(maps, 0).astype(np.float32)}, {"layout": "NCHW"}
    chances = np.exp(4 * rng.normal(size=(rows, 96)))
    chances /= chances.sum(axis=1, keepdims=True)
    yield "chances", {"x": chances.astype(np.float16)}, {"layout": "ND"}
    layers = np.stack([tokens[:, :32] * scale for scale in (1, 2, 5)]).astype(np.float16)
    yield "layers", {"x": layers.transpose(0, 1, 2)}, {"layout": "LND"}


def cut(path: Path, values: int) -> dict[str, np.ndarray]:
    """Return a dump cut to about so many values, along the leading axis."""
    found, left = {}, values
    for name, array in load_file(path).items():
        rows = max(left // max(array[0].size, 1), 1) if array.ndim and len(array) else 0
        if left > 0:
            found[name] = array[:rows] if rows else array
            left -= found[name].size
    return found


def dumps(folder: Path, seed: int, values: int, further: Sequence[Path]) -> Iterator[Path]:
    """Write the dumps that are encoded."""
    from safetensors import safe_open

    for name, tensors, metadata in made(np.random.default_rng(seed), values):
        save_file(tensors, folder / f"{name}.{values}", metadata)
        yield folder / f"{name}.{values}"
    for path in (DIGITS / "cnn_eval.safetensors", DIGITS / "vit_eval.safetensors", *further):
        with safe_open(path, "numpy") as file:
            metadata = file.metadata()
        save_file(cut(path, values), folder / f"{path.stem}.{values}", metadata)
        yield folder / f"{path.stem}.{values}"


def cases(paths: Iterable[Path], network: bool = False) -> list[dict[str, Any]]:
    """Return what each dump is encoded to: its qualities and profiles."""
    found: list[dict[str, Any]] = []

    def add(
        path: Path, what: str, quality: dict, profile: Path | None = None, **options: Any
    ) -> None:
        one = {"name": f"{path.name}.{what}", "dump": str(path), "quality": quality}
        found.append(one | {"options": options, "profile": str(profile) if profile else None})

    for path in paths:
        if network:
            caufc = ROOT / "featcodec" / "profiles" / "caufc.fcp"
            add(path, "network", {"snr": 4}, caufc, transform="neural")
            continue
        spread = float(np.std(next(iter(load_file(path).values())), dtype=np.float64))
        add(path, "5dB", {"snr": 5})
        add(path, "10dB", {"snr": 10})
        add(path, "fast", {"snr": 10}, effort="fast")
        add(path, "30dB", {"snr": 30})
        add(path, "rate", {"bpfp": 1.0})
        add(path, "bounded", {"max_error": float(f"{spread / 20:.2g}")})
        add(path, "lossless", {"lossless": True})
        if "_eval" in path.name:
            add(path, "profile", {"snr": 10}, VECTORS / "digits.fcp")
    return found


class Matrix:
    """Files by their SHA-256, and what each machine made of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoded: dict[str, dict[str, str]] = {}  # of a machine: names of cases, hashes
        self.files: dict[str, dict[str, Any]] = {}  # by hash: the case
        self.decoded: dict[str, dict[str, Any]] = defaultdict(dict)  # by hash: of each machine
        self.wrong: list[str] = []

    def _room(self, machine: Machine, what: str) -> Path:
        room = self.folder / "".join(c if c.isalnum() else "-" for c in machine.name) / what
        room.mkdir(parents=True, exist_ok=True)
        return room

    def encode(self, machine: Machine, wanted: list[dict[str, Any]]) -> None:
        room = self._room(machine, "encoded")
        asked = room.with_suffix(".json")
        asked.write_text(json.dumps(wanted))
        words = ("-m", "tests.trust.one_machine", "encode", str(asked), str(room))
        found = self.encoded.setdefault(machine.name, {})
        for case, (name, sha) in zip(wanted, json.loads(machine.run(*words)).items(), strict=True):
            found[name] = sha
            self.files.setdefault(sha, {**case, "path": str(room / name), "by": machine.name})

    def decode(self, machine: Machine, hashes: Sequence[str]) -> None:
        room = self._room(machine, "decoded")
        asked = room.with_suffix(".json")
        files = [(sha, self.files[sha]) for sha in hashes]
        asked.write_text(json.dumps([
            {"name": sha, "path": one["path"], "profiles": [one["profile"]] * bool(one["profile"])}
            for sha, one in files
        ]))  # fmt: skip
        words = ["-m", "tests.trust.one_machine", "decode", str(asked), str(room)]
        for sha, found in json.loads(
            machine.run(*words, *["--reference"] * machine.reference)
        ).items():
            self._compare(machine, sha, found, room / f"{sha}.safetensors")

    def _compare(self, machine: Machine, sha: str, found: dict, path: Path) -> None:
        """Compare what a machine decoded with what the first one did."""
        known, case = self.decoded[sha], self.files[sha]
        what = f"{case['name']} of {case['by']} on {machine.name}"
        known[machine.name] = {**found, "path": path}
        first = next(iter(known.values()))
        if found["symbols"] != first["symbols"]:
            self.wrong.append(f"{what}: other symbols")
        if found["values"] != first["values"]:
            if "lossless" in case["quality"]:
                self.wrong.append(f"{what}: other values")
            elif (most := apart(path, first["path"])) > TOLERANCE["neural" in str(case["options"])]:
                self.wrong.append(f"{what}: values differ by {most:.1e} of value and deviation")
            path.rename(path.with_suffix(".other"))
            known[machine.name]["path"] = path.with_suffix(".other")
        elif path != first["path"]:
            path.unlink()

    def alike(self) -> Iterator[str]:
        """Yield how many files each machine made of other bytes than the first of its kind."""
        for name, found in self.encoded.items():
            peers = [
                (first, other) for first, other in self.encoded.items() if set(found) & set(other)
            ]
            first, other = peers[0]
            both = sorted(set(found) & set(other))
            differ = [one for one in both if found[one] != other[one]]
            kinds = sorted({one.rsplit(".", 1)[1] for one in differ})
            rest = f" ({', '.join(kinds)})" if kinds else ""
            yield f"  {name}: {len(differ)} of {len(both)} files are other bytes{rest}"


def apart(one: Path, other: Path) -> float:
    """Return the largest difference of two dumps, beside value and deviation."""
    most = 0.0
    a, b = load_file(one), load_file(other)
    for name, values in a.items():
        x, y = values.astype(np.float64), b[name].astype(np.float64)
        unit = np.abs(y) * (np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0)
        allowed = np.abs(y) + float(np.std(y)) + 1e-300
        most = max(most, float((np.maximum(np.abs(x - y) - unit, 0) / allowed).max(initial=0)))
    return most


def run(
    found: Sequence[Machine],
    folder: Path,
    seed: int,
    further: Sequence[Path],
    large: int,
    ends: tuple[str, ...],
) -> Matrix:
    """Encode on each machine, and decode on each what all have encoded."""
    room = folder / "dumps"
    room.mkdir(parents=True, exist_ok=True)
    small = list(dumps(room, seed, SMALL, ()))
    larger = list(dumps(room, seed, large, further)) if large > SMALL else []
    wanted = {True: cases(small), False: cases([*small, *larger])}
    for slow, ones in wanted.items():
        wanted[slow] = [one for one in ones if one["name"].endswith(ends)]
    matrix = Matrix(folder)
    for machine in found:
        began = time.monotonic()
        if not machine.reference:
            matrix.encode(machine, wanted[machine.slow])
        if machine.network:
            matrix.encode(machine, cases(small, network=True))
        print(f"{machine.name}: encoded in {time.monotonic() - began:.0f} s", flush=True)
    for machine in found:
        began = time.monotonic()
        hashes = [sha for sha, one in matrix.files.items() if can(machine, one)]
        matrix.decode(machine, hashes)
        print(f"{machine.name}: {len(hashes)} files decoded in {time.monotonic() - began:.0f} s",
              flush=True)  # fmt: skip
    return matrix


def can(machine: Machine, file: dict[str, Any]) -> bool:
    """Return whether a machine decodes a file: slow ones small ones, networks those with torch."""
    network = "neural" in str(file["options"])
    small = f".{SMALL}." in file["name"]
    return (machine.network or not network) and (small or not machine.slow)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "matrix")
    parser.add_argument("--here", action="store_true", help="This interpreter alone, small dumps.")
    parser.add_argument("--torch", type=Path, default=ROOT / ".venv-lowest" / "bin" / "python")
    parser.add_argument("--only", default="", help="machines that this pattern is found in")
    parser.add_argument("--cases", default="", help="cases whose name ends with one of these words")
    parser.add_argument("--large", type=int, default=LARGE, help="values of a dump")
    parser.add_argument("dumps", nargs="*", type=Path, help="further ones of safetensors")
    asked = parser.parse_args()
    if asked.here:
        base = Machine("here", (sys.executable,))
        found = [base, *machines.variants(base, kernels=False)]
    else:
        found = list(machines.native(asked.folder))
        for base in (found[0], found[-2]):  # the lowest and the newest NumPy
            found += machines.variants(base)
        if asked.torch.exists():
            found += machines.with_torch(str(asked.torch))
        else:
            print("torch: not tried, --torch names an interpreter that has it")
        found += machines.emulated(asked.folder)
    found = [one for one in found if re.search(asked.only, one.name)]
    large = SMALL if asked.here else asked.large
    ends = tuple(asked.cases.split() or [""])
    matrix = run(found, asked.folder, asked.seed, asked.dumps, large, ends)
    decoded = sum(map(len, matrix.decoded.values()))
    print(f"{len(found)} machines, {len(matrix.files)} files, {decoded} decoded,"
          f" {len(matrix.wrong)} found")  # fmt: skip
    print("encoded, beside the first machine:", *matrix.alike(), sep="\n")
    print(*matrix.wrong, sep="\n")
    return int(bool(matrix.wrong))


if __name__ == "__main__":
    sys.exit(main())
