"""Coverage-guided fuzzing: whatever the bytes are, they are refused by name, or read alike.

    python -m tests.trust.fuzz file message --seconds 3600 --seed 1

Inputs are changed field by field, and put together again with their index, streams and checksums;
checksums of symbols hold whatever they are, so that what lies behind them is reached, and both
decoders must have come to the same ones. Findings go to build/fuzz/TARGET/found, some inputs of
each kind, and the others go on. Without atheris inputs are changed blindly. Ends with status 1 when
anything was found.
"""

import argparse
import io
import random
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import time
import traceback
import zlib
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None  # type: ignore[assignment]

ROOT = Path(__file__).parents[2]
SECONDS = 10.0  # of the processor, that an input of some kilobytes may take
# What numba compiles, which cannot be instrumented.
COMPILED = [
    ".".join(path.with_suffix("").parts[-3:]) for path in ROOT.glob("featcodec/*/compiled_*.py")
]
MEMORY = 3 << 30  # bytes of addresses beyond those of the start
LARGEST = 1 << 16  # bytes of an input
KEPT = 1 << 13  # and of one that is kept in the repository
SHA1 = 40  # letters of the name that libFuzzer gives an input
CORPUS = Path(__file__).parent / "corpus"
TARGETS = ("file", "salvage", "profile", "message", "headers", "dump")


def keep(data: bytes, folder: Path, error: BaseException, most: int = 3) -> None:
    """Store an input that went wrong, a few of each kind."""
    frames = traceback.extract_tb(error.__traceback__)[-2:]
    words = re.sub(r"[^a-z]+", "-", str(error).lower())[:40].strip("-")
    places = [f"{Path(frame.filename).stem}.{frame.name}" for frame in frames]
    kind = "-".join([type(error).__name__, *places, words])
    if len(list(folder.glob(f"{kind}-*.bin"))) >= most:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{zlib.crc32(data):08x}"
    (folder / f"{name}.bin").write_bytes(data)
    (folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
    print(f"found {name}", flush=True)


def kept(target: str) -> list[bytes]:
    """Return the inputs that are kept because they reach what no vector does."""
    path = CORPUS / f"{target}.tar.xz"
    if not path.exists():
        return []
    with tarfile.open(path) as archive:
        return [(archive.extractfile(one) or io.BytesIO()).read() for one in archive]


def keep_new(target: str, folder: Path) -> None:
    """Keep what a corpus has beside its seeds; of large inputs there are enough."""
    found = {f"{zlib.crc32(data):08x}": data for data in kept(target)}
    for path in sorted((folder / target / "corpus").iterdir()):
        if len(path.name) == SHA1 and path.stat().st_size <= KEPT:
            found[f"{zlib.crc32(path.read_bytes()):08x}"] = path.read_bytes()
    CORPUS.mkdir(exist_ok=True)
    with tarfile.open(CORPUS / f"{target}.tar.xz", "w:xz") as archive:
        for name, data in sorted(found.items(), key=lambda pair: pair[1]):  # what is alike together
            one = tarfile.TarInfo(name)
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))


class Fuzzer:
    """One target: what is done with an input, how inputs are changed, and where they begin."""

    def __init__(self, name: str, folder: Path) -> None:
        from . import targets

        self.target = targets.TARGETS[name]()
        self.found = folder / name / "found"
        self.corpus = folder / name / "corpus"
        self.corpus.mkdir(parents=True, exist_ok=True)
        for data in (*self.target.seeds(), *kept(name)):
            if len(data) <= LARGEST:
                (self.corpus / f"{zlib.crc32(data):08x}").write_bytes(data)
        self.cases = 0

    def one(self, data: bytes) -> None:
        """Read an input; keep it where anything else happens than what may."""
        self.cases += 1
        began = time.process_time()
        try:
            self.target.read(data)
            took = time.process_time() - began
            assert took < SECONDS, f"{took:.1f} seconds"
        except Exception as error:
            keep(data, self.found, error)

    def changed(self, data: bytes, most: int, seed: int) -> bytes:
        """Return an input with some of its fields changed."""
        chance = random.Random(seed)
        if chance.random() < 0.8:
            try:
                return self.target.changed(chance, data)[:most]
            except Exception:  # it cannot be taken apart any more
                pass
        if atheris is not None:
            return bytes(atheris.Mutate(data, most))
        from ..mutations.change import changed

        return changed(chance, data)[:most]

    def guided(self, seconds: float, seed: int) -> None:
        """Let coverage choose what is changed."""
        options = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", f"-max_len={LARGEST}"]
        options += ["-rss_limit_mb=6000", "-timeout=120", "-print_final_stats=1"]
        options += [f"-artifact_prefix={self.found.parent}/", str(self.corpus)]
        atheris.Setup([sys.argv[0], *options], self.one, custom_mutator=self.changed)
        atheris.Fuzz()

    def blind(self, seconds: float, seed: int) -> None:
        """Change the seeds by chance."""
        chance = random.Random(seed)
        seeds = sorted(path.read_bytes() for path in self.corpus.iterdir())
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.one(self.changed(chance.choice(seeds), LARGEST, chance.getrandbits(32)))
        print(f"Done {self.cases} runs")


def alone(target: str, folder: Path, seconds: float, seed: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    if atheris is not None:
        with atheris.instrument_imports(["featcodec", "bitstream_spec"], COMPILED):
            fuzzer = Fuzzer(target, folder)
    else:
        fuzzer = Fuzzer(target, folder)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    run = fuzzer.blind if atheris is None else fuzzer.guided
    run(seconds, seed)


def apart(target: str, folder: Path, words: list[str]) -> int:
    """Fuzz one target in a process of its own, and say what came of it; return what was found."""
    shutil.rmtree(folder / target / "found", ignore_errors=True)
    command = [sys.executable, "-m", "tests.trust.fuzz", target, *words, "--alone"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    [cases] = re.findall(r"^(?:Done |stat::number_of_executed_units: *)(\d+)", done.stdout, re.M)[
        -1:
    ]
    found = len(list((folder / target / "found").glob("*.bin"))) + (done.returncode != 0)
    print(f"{target}: {int(cases):,} cases, {seconds:.0f} s of a processor, {found} found")
    if done.returncode:
        print(done.stdout[-2000:])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", default=TARGETS, help=" ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=600, help="of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--keep", action="store_true", help="Keep what reaches something new.")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        alone(asked.targets[0], asked.folder, asked.seconds, asked.seed)
        return 0
    words = [
        "--seconds",
        str(asked.seconds),
        "--seed",
        str(asked.seed),
        "--folder",
        str(asked.folder),
    ]
    found = 0
    for target in asked.targets:
        found += apart(target, asked.folder, words)
        if asked.keep:
            keep_new(target, asked.folder)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
