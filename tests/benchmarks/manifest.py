"""What a manifest of many files costs: python tests/benchmarks/manifest.py [FILES]

It prints the time and memory of writing its rows, of reading it again, and of asking which of the
files are left. None of the files needs to be there.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from featcodec.ext.manifest import Manifest

FILES = 10_000_000
LEFT = 1000  # that are not done


def paths(files: int) -> Iterator[str]:
    for number in range(files):
        yield f"/features/layer{number % 48:02d}/shard-{number // 48:07d}.safetensors"


def say(what: str, began: float) -> float:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what}: {time.perf_counter() - began:.1f} s, at most {memory:.0f} MB so far", flush=True
    )
    return time.perf_counter()


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory() as room:
        began = time.perf_counter()
        with Manifest(room, {"snr": 10}) as manifest:
            for number, path in enumerate(paths(files)):
                if number >= LEFT:
                    row = {"input": path, "output": path[:-12] + ".fcz", "status": "done"}
                    made = {"sha256": f"{number:064x}", "input_bytes": 300_000, "snr_db": 10.01}
                    manifest.add({**row, **made, "output_bytes": 20_000 + number % 977})
        began = say(f"{files} rows written", began)
        parts = list(Path(room).iterdir())
        print(f"{len(parts)} parts, {sum(p.stat().st_size for p in parts) / 1e6:.0f} MB")
        manifest = Manifest(room, {"snr": 10})
        began = say("read again", began)
        left = sum(1 for _ in manifest.left(paths(files)))
        say(f"{left} files left", began)
        assert left == LEFT


if __name__ == "__main__":
    main()
