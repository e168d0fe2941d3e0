"""A disk that is full: one clear line, the old file whole, nothing left behind.

    python -m tests.trust.full --seed 1

Does everything of `scenarios` in file systems of memory that have less and less room, mounted for
this process alone (`unshare -rm`). `--quota` limits the size of files instead, where that is not
allowed.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .kill import contents
from .scenarios import SCENARIOS, notes

PAGE = 4096  # bytes that a file takes at least there


def act(name: str, folder: Path, said: Path) -> int:
    """Do a scenario in a process of its own; return its exit status."""
    lines = (
        "import sys, tempfile; from pathlib import Path; from tests.trust import scenarios\n"
        "folder, name, said = Path(sys.argv[1]), sys.argv[2], open(sys.argv[3], 'w')\n"
        "tempfile.tempdir = str(folder / 'tmp')\n"
        "open_ = open\n"
        "scenarios.open = lambda *_: said\n"
        "sys.exit(scenarios.SCENARIOS[name].act(folder))\n"
    )
    command = [sys.executable, "-c", lines, str(folder), name, str(said)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.stderr:
        said.write_text(said.read_text() + done.stderr)
    return done.returncode


class Room:
    """A folder with room for so many bytes more than it holds."""

    def __init__(self, folder: Path, quota: bool) -> None:
        self.folder, self.quota = folder, quota

    def make(self, sound: Path, more: int) -> None:
        notes(self.folder).unlink(missing_ok=True)
        if self.quota:
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.copytree(sound, self.folder)
            return
        held = sum(-(-len(data) // PAGE) * PAGE for data in contents(sound).values())
        self.folder.mkdir(exist_ok=True)
        self.end()
        size = f"size={held + more // PAGE * PAGE}"  # no page more, which it would be rounded to
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", self.folder], check=True)
        shutil.copytree(sound, self.folder, dirs_exist_ok=True)

    def end(self) -> None:
        subprocess.run(["umount", self.folder], capture_output=True)

    def limit(self, more: int) -> None:
        if self.quota:
            limit = max(more, PAGE)  # what is said goes to a file, too
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def run(names: list[str], times: int, seed: int, quota: bool) -> dict[str, Counter[str]]:
    """Do each so many times with room of another size; return how often each came out how."""
    chance = random.Random(seed)
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="featcodec-full-") as where:
        for name in names:
            found[name] = Counter()
            sound, said = Path(where) / f"{name}.sound", Path(where) / "said"
            sound.mkdir()
            SCENARIOS[name].prepare(sound)
            before, room = contents(sound), Room(Path(where) / "full", quota)
            room.make(sound, 1 << 26)
            assert act(name, room.folder, said) == 0, said.read_text()
            after = contents(room.folder)
            most = sum(len(after[target]) for target in SCENARIOS[name].targets) * 3 // 2
            for _ in range(times):
                more = chance.randrange(0, most)
                room.make(sound, more)
                try:
                    found[name][_judged(name, room, more, said, before, after)] += 1
                except AssertionError as error:
                    found[name][f"LOST: {error}"] += 1
            room.end()
    return found


def _judged(name: str, room: Room, more: int, said: Path, before: dict, after: dict) -> str:
    said.write_text("")
    if room.quota:
        pid = os.fork()
        if not pid:
            room.limit(more)
            os._exit(act(name, room.folder, said))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    else:
        status = act(name, room.folder, said)
    outcome = SCENARIOS[name].judge(room.folder, before, after)
    kept = {*before, *SCENARIOS[name].targets, "w.fcz.part"}
    left = {*contents(room.folder)} - kept
    assert not left, f"left over: {left}"
    words = said.read_text()
    if status == 0:
        assert outcome.startswith("new")
        return "enough room: new"
    if name == "writer":
        raised = [line for line in words.splitlines() if "No space" in line or "too large" in line]
        assert raised, words
        return f"{raised[-1].partition(':')[0]}: {outcome}"
    assert status == 1, f"status {status}: {words}"
    told = [line for line in words.splitlines() if "No space left" in line or "too large" in line]
    lines = [line for line in words.splitlines() if line.startswith("featcodec: ")]
    assert told, f"said {words!r}"
    assert "Traceback" not in words and len(lines) <= 5, words
    return f"status 1, one line each: {outcome}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quota", action="store_true")
    parser.add_argument("--only", nargs="*", choices=SCENARIOS, default=[*SCENARIOS])
    asked = parser.parse_args()
    if not asked.quota and "FEATCODEC_UNSHARED" not in os.environ:
        again = ["unshare", "-rm", sys.executable, "-m", "tests.trust.full", *sys.argv[1:]]
        return subprocess.run(again, env={**os.environ, "FEATCODEC_UNSHARED": "1"}).returncode
    found = run(asked.only, asked.times, asked.seed, asked.quota)
    for name, outcomes in found.items():
        for outcome, count in outcomes.most_common():
            print(f"{count:6} {name}: {outcome}")
    return any(outcome.startswith("LOST") for one in found.values() for outcome in one)


if __name__ == "__main__":
    sys.exit(main())
