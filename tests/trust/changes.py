"""Inputs that change while they are read: a clear error, or the right result.

    python -m tests.trust.changes --times 100 --seed 1

What is read is changed at a random time. What comes is of the old content or of the new, whole; or
nothing comes, and one line says why. No signal ends the process.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from .kill import contents
from .scenarios import SCENARIOS, Scenario

READ = {  # the input of each that is changed
    "encode": "1.safetensors",
    "decode": "a.fcz",
    "decode to npz": "a.fcz",
    "append": "1.safetensors",
    "concat": "b.fcz",
    "train": "0.safetensors",
}


def shrink(path: Path, data: bytes) -> None:
    os.truncate(path, len(data) // 3)


def grow(path: Path, data: bytes) -> None:
    with path.open("ab") as out:
        out.write(data[:1000])


def change(path: Path, data: bytes) -> None:
    with path.open("r+b") as out:
        out.seek(len(data) // 2)
        out.write(bytes(len(data) // 4))


def vanish(path: Path, _: bytes) -> None:
    path.unlink()


def replace(path: Path, data: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(data[::-1])
    other.replace(path)


CHANGES: list[Callable[[Path, bytes], None]] = [shrink, grow, change, vanish, replace]


def start(scenario: Scenario, folder: Path, said: Path) -> int:
    """Do a scenario in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        from . import scenarios

        tempfile.tempdir = str(folder / "tmp")
        scenarios.__dict__["open"] = lambda *_: said.open("w")
        status = scenario.act(folder)
        sys.stderr.flush()
    finally:
        os._exit(status)


def run(names: list[str], times: int, seed: int) -> Counter[str]:
    """Change inputs so many times; return how often it came out how."""
    chance, found = random.Random(seed), Counter[str]()
    for name in names:
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="featcodec-changes-") as where:
                try:
                    found[f"{name}: {_once(name, Path(where), chance)}"] += 1
                except AssertionError as error:
                    found[f"LOST: {name}: {error}"] += 1
    return found


def _once(name: str, where: Path, chance: random.Random) -> str:
    scenario, folder, said = SCENARIOS[name], where / "x", where / "said"
    (folder).mkdir()
    scenario.prepare(folder)
    said.write_text("")
    before = contents(folder)
    alter, path = chance.choice(CHANGES), folder / READ[name]
    pid = start(scenario, folder, said)
    time.sleep(chance.uniform(0, 0.5))
    over = os.waitpid(pid, os.WNOHANG)
    alter(path, before[READ[name]])
    status = os.waitstatus_to_exitcode(over[1] if over[0] else os.waitpid(pid, 0)[1])
    words = said.read_text()
    assert status in (0, 1, 3), f"{alter.__name__}: status {status}: {words!r}"
    [target] = scenario.targets
    data = (folder / target).read_bytes()
    if status == 0:
        assert data != before[target], "nothing was written"
        return "done before" if over[0] else f"{alter.__name__}: done"
    assert data == before[target], f"{alter.__name__}: the old file is gone"
    lines = [line for line in words.splitlines() if line.startswith("featcodec: ")]
    assert len(lines) == 1 and "Traceback" not in words, words
    left = {*contents(folder)} - {*before, "other"}
    assert not left, f"left over: {left}"
    return f"{alter.__name__}: status {status}, one line"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=READ, default=[*READ])
    asked = parser.parse_args()
    found = run(asked.only, asked.times, asked.seed)
    for outcome, count in sorted(found.items()):
        print(f"{count:6} {outcome}")
    return any(outcome.startswith("LOST") for outcome in found)


if __name__ == "__main__":
    sys.exit(main())
