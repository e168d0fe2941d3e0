"""Truth: what files and reports state of themselves, computed anew from decoded values alone.

    python -m tests.trust.truth DUMP... --seed 1

Each dump is encoded and decoded by the command line, and read by the safetensors library. Nothing
of the package is imported: SNRs, errors, sizes, the worst tensors, layers, channels and rows are
computed here, from the words of SPEC 4.4 and 5. Without dumps, the vectors' and some made here are
taken. Ends with status 1 when a file states more than is so.
"""

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[2]
ROUNDING = 0.02  # dB: the type of the values, and the hundredths in which figures are stated
ERROR = 1e-6  # of a bound: the same
QUALITIES = ("snr 10", "snr 30", "max-error", "row-snr 15", "bpfp 1.5", "lossless")
Array = np.ndarray


def featcodec(*words: object) -> str:
    command = [sys.executable, "-m", "featcodec", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def snr(x: Array, y: Array, about_zero: bool = False) -> float:
    """Return an SNR in dB; NaN where nothing varies or nothing is lost."""
    signal = float(np.sum((x - (0 if about_zero else x.mean())) ** 2)) if x.size else 0.0
    noise = float(np.sum((x - y) ** 2)) if x.size else 0.0
    return 10 * math.log10(signal / noise) if signal > 0 < noise else math.nan


@dataclass
class Pair:
    """A tensor, before and after."""

    before: Array
    after: Array
    stated: Mapping[str, Any]

    def counted(self) -> tuple[Array, Array]:
        """Return the values that count, as SPEC has it: not exceptions, which come back exactly.

        Those are the values beyond the bounds, and all that is not finite. Padding and channels of
        one value do not count either.
        """
        found = self.rows()
        if found is None:
            x, y = (a.astype(np.float64).ravel() for a in (self.before, self.after))
        else:
            vary = [found[0].max(axis=i) != found[0].min(axis=i) for i in (1, 0)]
            x, y = (a[vary[0]][:, vary[1]].ravel() for a in found)
        bounds = self.stated["truncation"]
        low, high = (bounds["lower"], bounds["upper"]) if bounds else (-np.inf, np.inf)
        with np.errstate(invalid="ignore"):
            inside = np.isfinite(x) & (x >= low) & (x <= high)
        if not inside.any():  # bounds are of values divided by gains
            inside = np.isfinite(x)
        return x[inside], y[inside]

    def rows(self) -> tuple[Array, Array] | None:
        """Return tokens (rows, channels); None without one channel axis in the layout."""
        axes = (self.stated["layout"] or "").partition(":")[0]
        found = [i for i, letter in enumerate(axes) if letter in "CD"]
        if len(found) != 1 or len(axes) != self.before.ndim:
            return None
        both = (np.moveaxis(a.astype(np.float64), found[0], -1) for a in (self.before, self.after))
        x, y = (a.reshape(-1, a.shape[-1]) for a in both)
        return x, y


@dataclass
class Truth:
    """What is found to be otherwise than stated, and how many figures were looked at."""

    looked: int = 0
    wrong: list[str] = field(default_factory=list)
    low: float = 0.0  # dB that a file states less than there is, at most

    def at_most(self, what: str, stated: float | None, found: float, slack: float) -> None:
        """A figure that is better the higher it is."""
        if stated is None or math.isnan(found):
            return
        self.looked += 1
        if "SNR" in what:
            self.low = max(self.low, found - stated)
        if not stated <= found + slack:
            self.wrong.append(f"{what}: {stated} is stated, it is {found:.4f}")

    def equal(self, what: str, stated: float, found: float, slack: float = 0.0) -> None:
        self.looked += 1
        if not abs(stated - found) <= slack:
            self.wrong.append(f"{what}: {stated} is stated, it is {found}")


def read(path: Path) -> dict[str, Array]:
    """Return the arrays of a dump that NumPy has a type for."""
    found = {}
    with safe_open(path, "numpy") as file:
        for name in file.keys():  # noqa: SIM118
            if file.get_slice(name).get_dtype() in ("F16", "F32", "F64", "I64", "U8", "I32"):
                found[name] = file.get_tensor(name)
    return found


def at(index: str) -> tuple[Any, ...]:
    """Return the index that a text such as `[:, 3]` stands for."""
    parts = [part.strip() for part in index.strip("[]").split(",")]
    return tuple(int(part) if part.lstrip("-").isdigit() else slice(None) for part in parts)


def judge(
    truth: Truth, dump: Path, file: Path, back: Path, report: Mapping[str, Any], asked: str
) -> None:
    """Compare all that a file and the report of it state with what is so."""
    where = f"{dump.stem} {asked}"
    stated = json.loads(featcodec("info", "--json", file))
    before, after = read(dump), read(back)
    described = {one["name"]: one for one in stated["tensors"]}
    size, values = file.stat().st_size, sum(math.prod(t["shape"]) for t in described.values())
    truth.equal(f"{where}: bytes", stated["file_bytes"], size)
    truth.equal(f"{where}: bytes in the report", report["output_bytes"], size)
    truth.equal(f"{where}: bpfp", report["bpfp"], 8 * size / max(values, 1), 1e-9)
    parts = sum(one["bytes"] for one in described.values())
    truth.at_most(f"{where}: bytes of tensors", parts, size, 0)
    groups: dict[int, list[Pair]] = defaultdict(list)
    for name, array in before.items():
        if array.dtype.kind != "f" or described[name]["transform"] == "lossless":
            same = array.tobytes() == after[name].tobytes()
            truth.equal(f"{where}: {name} bit for bit", 1, same)
        else:
            groups[described[name]["group"]].append(Pair(array, after[name], described[name]))
    lossy = {pair.stated["name"]: pair for pairs in groups.values() for pair in pairs}
    for key, worst in report["worst"].items():
        name, bracket, index = worst["name"].partition("[") if worst else ("", "", "")
        if key in ("tensor", "slice") and name in lossy:
            pair = lossy[name]
            parts = (a[at(index)].astype(np.float64) for a in (pair.before, pair.after))
            reached = snr(*(parts if bracket else pair.counted()))
            truth.equal(f"{where}: worst {key} {name}", worst["snr_db"], reached, ROUNDING)
    for pairs in groups.values():
        of_group(truth, f"{where}: {pairs[0].stated['name']}", pairs, asked)
        figures(truth, where, pairs, before, after)


def of_group(truth: Truth, where: str, pairs: Sequence[Pair], asked: str) -> None:
    """Judge the SNR and the largest error of a group."""
    whole = [np.concatenate(some) for some in zip(*(pair.counted() for pair in pairs), strict=True)]
    one = pairs[0].stated
    reached = snr(*whole)
    truth.at_most(f"{where}: SNR", one["snr_db"], reached, ROUNDING)
    largest = float(np.abs(whole[0] - whole[1]).max(initial=0))
    if one["max_error"] is not None:
        truth.at_most(f"{where}: error", largest, one["max_error"] * (1 + ERROR), 0)
    option, _, number = asked.partition(" ")
    if option == "max-error":
        truth.at_most(f"{where}: error asked for", largest, float(number) * (1 + ERROR), 0)
    if option == "snr":
        truth.at_most(f"{where}: SNR asked for", float(number), reached, ROUNDING)
    if option == "lossless":
        truth.equal(f"{where}: error of none", largest, 0)


def figures(
    truth: Truth, where: str, pairs: Sequence[Pair], before: Mapping, after: Mapping
) -> None:
    """Judge the lowest figures of a group."""
    one = pairs[0].stated
    if (worst := one["worst_tensor"]) is not None and worst["name"] in before:
        mine = next((pair for pair in pairs if pair.stated["name"] == worst["name"]), None)
        if mine is not None:
            truth.equal(
                f"{where}: {worst['name']} worst", worst["snr_db"], snr(*mine.counted()), ROUNDING
            )
            least = min(
                (s for p in pairs if not math.isnan(s := snr(*p.counted()))), default=math.nan
            )
            truth.at_most(f"{where}: worst of tensors", worst["snr_db"], least, ROUNDING)
    if (worst := one["worst_slice"]) is not None:
        name, _, index = worst["name"].partition("[")
        if name in before:
            x, y = (a[name][at(index)].astype(np.float64) for a in (before, after))
            truth.equal(f"{where}: {worst['name']}", worst["snr_db"], snr(x, y), ROUNDING)
    rows = [pair.rows() for pair in pairs]
    if any(row is None for row in rows) or len({row[0].shape[1] for row in rows if row}) != 1:
        return
    x, y = (np.concatenate(some) for some in zip(*(row for row in rows if row), strict=True))
    keep = np.isfinite(x).all(axis=1) & (np.ptp(x, axis=1) > 0)  # not padding
    x, y = x[keep], y[keep]
    for what, a, b, key in (
        ("channels", x.T, y.T, "tenth_of_channels_db"),
        ("rows", x, y, "tenth_of_rows_db"),
    ):
        known = sorted(s for p, q in zip(a, b) if not math.isnan(s := snr(p, q, what == "rows")))
        if known and one[key] is not None:
            tenth = known[len(known) // 10]
            # A few that the bounds leave out move the order by some places.
            near = known[max(len(known) // 10 - 2, 0) : len(known) // 10 + 3]
            close = near[0] - ROUNDING <= one[key] <= near[-1] + ROUNDING
            truth.equal(f"{where}: tenth of the {what}", one[key], one[key] if close else tenth)


def made(folder: Path, seed: int) -> Iterator[Path]:
    """Yield dumps with what is easily stated wrong: layers, padding, extremes, dead channels."""
    rng = np.random.default_rng(seed)
    layers = rng.normal(size=(6, 80, 32)) * np.array([1, 2, 3, 1, 9, 1])[:, None, None]
    padded = rng.normal(size=(12, 20, 16)).cumsum(axis=1)
    padded[:, 14:] = 0
    far = rng.normal(size=(300, 24))
    far[7, 3], far[9, 4], far[:, 5] = 1e4, np.inf, 0.5
    many = {f"s{i}": rng.normal(size=(5 + i, 16)).astype(np.float32) * (1 + i) for i in range(9)}
    for name, tensors, layout in (
        ("layers", {"x": layers.astype(np.float32)}, "KLD"),
        ("padded", {"x": padded.astype(np.float16)}, "NLD"),
        ("far", {"x": far.astype(np.float32), "labels": np.arange(300)}, "ND"),
        ("many", many, "LD"),
    ):
        save_file(tensors, folder / f"{name}.safetensors", {"layout": layout})
        yield folder / f"{name}.safetensors"


def cut(dump: Path, folder: Path, values: int) -> Path:
    """Return a dump of at most about so many values."""
    with safe_open(dump, "numpy") as file:
        metadata = file.metadata()
    found, left = {}, values
    for name, array in read(dump).items():
        rows = max(left // max(array[:1].size, 1), 1) if array.ndim else 0
        if left > 0:
            found[name] = np.ascontiguousarray(array[:rows] if array.ndim else array)
            left -= found[name].size
    save_file(found, folder / dump.name, metadata)
    return folder / dump.name


def check(truth: Truth, dump: Path, qualities: Sequence[str], folder: Path) -> None:
    """Encode and decode a dump at some qualities, and judge each file."""
    floating = [a for a in read(dump).values() if a.dtype.kind == "f"]
    spread = min((float(np.std(a[np.isfinite(a)], dtype=float)) for a in floating), default=0)
    for number, quality in enumerate(qualities):
        asked = f"{quality} {spread / 8 or 1:.3g}" if quality == "max-error" else quality
        file, back = folder / f"{dump.stem}{number}.fcz", folder / f"{dump.stem}{number}.back"
        report = folder / f"{dump.stem}{number}.jsonl"
        try:
            featcodec("encode", "-q", dump, "-o", file, *f"--{asked}".split(), "--report", report)
        except RuntimeError as error:
            if "bpfp" in str(error) or "SNR" in str(error):  # it says that it cannot be met
                continue
            raise
        featcodec("decode", "-q", file, "-o", back)
        judge(truth, dump, file, back, json.loads(report.read_text()), asked)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dumps", nargs="*", type=Path)
    parser.add_argument("--values", type=int, default=200_000, help="of a dump, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(QUALITIES), help="qualities, by commas")
    asked = parser.parse_args()
    truth, qualities = Truth(), asked.only.split(",")
    with tempfile.TemporaryDirectory(prefix="featcodec-truth-") as room:
        (folder := Path(room) / "cut").mkdir()
        vectors = ROOT.glob("bitstream_spec/vectors/valid/*/out.safetensors")
        digits = ROOT.glob("tests/digits/*_eval.safetensors")
        dumps: list[Path] = asked.dumps or [*made(Path(room), asked.seed), *sorted(digits)]
        for dump in dumps:
            check(truth, cut(dump, folder, asked.values), qualities, Path(room))
        if not asked.dumps:
            for number, path in enumerate(itertools.islice(sorted(vectors), 0, None, 8)):
                try:
                    (place := Path(room) / f"v{number}").mkdir()
                    check(truth, cut(path, place, asked.values), qualities[:2], place)
                except SafetensorError:
                    continue  # types that the library has no name for
    print(f"{truth.looked:,} figures looked at, {len(truth.wrong)} are not so")
    print(f"states {truth.low:.2f} dB less than there is, at most")
    print(*truth.wrong, sep="\n")
    return int(bool(truth.wrong))


if __name__ == "__main__":
    sys.exit(main())
