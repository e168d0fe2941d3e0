"""Kills at any instant: the old file stays whole, or the new one is complete.

    python -m tests.trust.kill --kills 1000 --seed 1

Half of the kills come at a random time, half right before the n-th thing that is asked of the file
system. What is left over is recognised and swept. Ends with status 1 when anything is lost.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from featcodec.leftovers import leftovers, remove

from .scenarios import SCENARIOS, Scenario, notes

# What is asked of the file system, as the interpreter tells of it.
ASKED = {"open", "os.rename", "os.remove", "os.link", "os.chmod", "os.chown", "os.mkdir"}
ASKED |= {"os.rmdir", "os.truncate", "mmap.__new__", "fcntl.flock", "os.scandir"}
PATIENCE = 20.0  # seconds that workers have to end with the process that started them


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Killer:
    """Does one thing over and over, in a process each that is killed."""

    def __init__(self, name: str, scenario: Scenario, chance: random.Random, room: Path) -> None:
        self.scenario, self.chance = scenario, chance
        self.folder = room / name.replace(" ", "-")
        self.sound = room / f"{self.folder.name}.sound"
        self.sound.mkdir()
        scenario.prepare(self.sound)
        self.before = contents(self.sound)
        self.outcomes: Counter[str] = Counter()
        self._anew()
        began = time.monotonic()
        pid = self._start(None)
        assert os.waitpid(pid, 0)[1] == 0, name
        self.seconds = time.monotonic() - began
        self.asked = int((self.folder / "asked").read_text())
        self.after = contents(self.folder)
        for target in scenario.targets:
            assert self.after[target] != self.before[target]

    def _anew(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        notes(self.folder).unlink(missing_ok=True)
        shutil.copytree(self.sound, self.folder)

    def _start(self, at: int | None) -> int:
        """Start the process; it kills itself before it asks for number `at`."""
        pid = os.fork()
        if pid:
            return pid
        status = 70
        try:
            tempfile.tempdir = str(self.folder / "tmp")
            count = [0]

            def asked(event: str, _: object) -> None:
                if event in ASKED:
                    count[0] += 1
                    if count[0] == at:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(asked)
            status = self.scenario.act(self.folder)
            if at is None:
                (self.folder / "asked").write_text(str(count[0]))
        finally:
            os._exit(status)

    def kill(self) -> None:
        """Kill once, and judge."""
        self._anew()
        if self.chance.random() < 0.5:
            pid = self._start(self.chance.randint(1, self.asked))
        else:
            pid = self._start(-1)
            time.sleep(self.chance.uniform(0, self.seconds))
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        outcome = self.scenario.judge(self.folder, self.before, self.after)
        swept = self._sweep()
        killed = "" if os.WIFSIGNALED(status) else "was done before: "
        self.outcomes[killed + outcome + ", leftovers swept" * swept] += 1

    def _sweep(self) -> bool:
        """Remove what is left over; fail when anything else is there, or an input has changed."""
        kept = {*self.before, *self.scenario.targets, "w.fcz.part"}
        swept, end = False, time.monotonic() + PATIENCE
        while others := {*contents(self.folder)} - kept:
            for path in [*leftovers(self.folder), *leftovers(self.folder / "out")]:
                swept = remove(path) is not None or swept
            for path in leftovers(self.folder / "tmp"):
                swept = remove(path) is not None or swept
            assert time.monotonic() < end, f"left over: {others}"
            time.sleep(0.01 if swept else 0.1)
        for name, data in self.before.items():
            if name not in self.scenario.targets:
                assert (self.folder / name).read_bytes() == data, f"{name} has changed"
        return swept


def run(kills: int, seed: int, names: list[str]) -> dict[str, Counter[str]]:
    """Kill so many times in all; return how often each came out how."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="featcodec-kill-") as room:
        killers = {name: Killer(name, SCENARIOS[name], chance, Path(room)) for name in names}
        for number in range(kills):
            name = names[number % len(names)]
            try:
                killers[name].kill()
            except AssertionError as error:
                killers[name].outcomes[f"LOST: {error}"] += 1
        return {name: killer.outcomes for name, killer in killers.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=SCENARIOS, default=[*SCENARIOS])
    asked = parser.parse_args()
    began = time.monotonic()
    found = run(asked.kills, asked.seed, asked.only)
    for name, outcomes in found.items():
        print(f"{name}: {sum(outcomes.values())} kills")
        for outcome, count in outcomes.most_common():
            print(f"  {count:6} {outcome}")
    print(f"{asked.kills} kills, seed {asked.seed}, {time.monotonic() - began:.0f} s")
    return any(outcome.startswith("LOST") for one in found.values() for outcome in one)


if __name__ == "__main__":
    sys.exit(main())
