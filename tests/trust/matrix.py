"""The same everywhere: what one machine encodes, all others decode to the same symbols.

    python -m tests.trust.matrix --seed 1

Each machine (Python, NumPy, kernels of BLAS, NumPy and torch, threads, numba, emulated
architectures) encodes the same dumps. Every file that came of it, and every vector, is decoded by
every machine: symbols are the same, values the same within the tolerance of SPEC 6.1, bit for bit
where that is promised. Machines with one NumPy, kernel of BLAS, zlib and level of torch make the
same files. Ends with status 1 when any of this does not hold, and says how many files of the others
are other bytes.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from featcodec.align.numbers import stored_dtype, to_float
from featcodec.dumps import Dump
from featcodec.elements import FLOATS

from ..test_vectors import same
from ..vectors.store import VECTORS, profiles_of
from . import machines
from .machines import ROOT, Machine
from .one_machine import digest

DIGITS = ROOT / "tests" / "digits"
SMALL = 12_000  # values of a dump for emulated machines
LARGE = 150_000  # and for others


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
        self.other_values = Counter[str]()  # files, of machines, whose last bits differ
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
            self.files.setdefault(sha, {
                "name": name,
                "path": str(room / name),
                "profiles": [case["profile"]] * bool(case["profile"]),
                "lossy": "lossless" not in case["quality"],
                "network": case["options"].get("transform") == "neural",
                "small": f".{SMALL}." in name,
                "by": machine.name,
            })  # fmt: skip

    def decode(self, machine: Machine, hashes: Sequence[str]) -> None:
        room = self._room(machine, "decoded")
        asked = room.with_suffix(".json")
        files = [(sha, self.files[sha]) for sha in hashes]
        keys = ("path", "profiles")
        asked.write_text(
            json.dumps([{"name": sha, **{key: one[key] for key in keys}} for sha, one in files])
        )
        words = ["-m", "tests.trust.one_machine", "decode", str(asked), str(room)]
        for sha, found in json.loads(
            machine.run(*words, *["--reference"] * machine.reference)
        ).items():
            self._compare(machine, sha, found, room / f"{sha}.safetensors")

    def _compare(self, machine: Machine, sha: str, found: dict, path: Path) -> None:
        """Compare what a machine decoded with what the first one did."""
        known, file = self.decoded[sha], self.files[sha]
        what = f"{file['name']} of {file['by']} on {machine.name}"
        first = next(iter(known.values()), None)
        known[machine.name] = {**found, "path": path}
        if first is None:
            return
        if found["symbols"] != first["symbols"]:
            self.wrong.append(f"{what}: other symbols")
        if found["values"] != first["values"]:
            self.other_values[machine.name] += 1
            try:
                same_values(path, first["path"], file["lossy"], file["network"])
            except AssertionError as error:
                self.wrong.append(f"{what}: other values, {error}")
        path.unlink()

    def promised(self, kinds: dict[str, str]) -> None:
        """Note the files that are not the same bytes on machines of one kind."""
        for name, found in self.encoded.items():
            alike = [one for one in self.encoded if kinds[one] == kinds[name]]
            for case, sha in found.items():
                first = next(one for one in alike if case in self.encoded[one])
                if self.encoded[first][case] != sha:
                    self.wrong.append(f"{case}: other bytes on {name} than on {first}")

    def alike(self) -> Iterator[str]:
        """Yield how many files each machine made of other bytes than the first with its cases."""
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


def same_values(one: Path, other: Path, lossy: bool, network: bool) -> None:
    """Raise AssertionError unless two dumps are the same, within a tolerance where there is one."""
    with Dump(one) as found, Dump(other) as wanted:
        for mine, theirs in zip(found.tensors, wanted.tensors, strict=True):
            assert (mine.name, mine.dtype, mine.shape) == (theirs.name, theirs.dtype, theirs.shape)
            a, b = (np.asarray(t.read()).view(stored_dtype(t.dtype)) for t in (mine, theirs))
            floating = lossy and mine.dtype in FLOATS
            values = to_float(b, mine.dtype).astype(np.float64) if floating else b
            std = float(np.std(values[np.isfinite(values)])) if floating else 0.0
            same(mine.dtype, a, b, floating, std, network)


def vectors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the valid vectors by their hashes, as files that are to be decoded."""
    for folder in sorted((VECTORS / "valid").iterdir()):
        names = profiles_of(json.loads((folder / "expect.json").read_text()))
        paths = [VECTORS / name for name in names]
        network = any(b"NETW" in path.read_bytes() for path in [*paths, folder / "in.fcz"])
        yield (
            digest(folder / "in.fcz"),
            {
                "name": folder.name,
                "path": str(folder / "in.fcz"),
                "profiles": [str(path) for path in paths],
                "lossy": "lossless" not in folder.name,
                "network": network,
                "small": True,
                "by": "vectors",
            },
        )


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
    matrix.files.update(vectors())
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
        seconds = time.monotonic() - began
        print(f"{machine.name}: {len(hashes)} files decoded in {seconds:.0f} s,"
              f" {matrix.other_values[machine.name]} of other last bits", flush=True)  # fmt: skip
    matrix.promised({one.name: machines.kind(one) for one in found if not one.reference})
    return matrix


def can(machine: Machine, file: dict[str, Any]) -> bool:
    """Return whether a machine decodes a file: slow ones small ones, networks those with torch."""
    return (machine.network or not file["network"]) and (file["small"] or not machine.slow)


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
        found = [base, *list(machines.variants(base, kernels=False))[:2]]
    else:
        found = list(machines.native(asked.folder))
        lowest, newest = found[0], found[-2]  # of NumPy; behind them numba
        found += [one for base in (newest, lowest) for one in machines.variants(base)]
        found += machines.with_torch(asked.torch)
        found += machines.emulated(asked.folder, newest)
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
