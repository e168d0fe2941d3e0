"""The main job on real features: train a profile, encode, decode, score, and look.

Usage: python tests/digits/demo.py [FOLDER]     (a temporary folder without)
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file
from tails import accuracy

from featcodec.cli.render import bar

HERE = Path(__file__).resolve().parent
NETWORKS = {"cnn": "a convolutional network", "vit": "a vision transformer"}
SNRS = (20, 10, 5)
WIDTH = 40  # of the bar of a dump


def featcodec(*arguments: object) -> str:
    """Run the command line as a user would, and return what it prints."""
    command = [sys.executable, "-m", "featcodec", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def score(task: str, dump: Path) -> float:
    tensors = load_file(dump)
    return accuracy(task, tensors["features"], tensors["labels"])


def row(name: str, size: int, whole: int, right: float) -> None:
    smaller = f"{whole / size:.0f}x smaller" if size < whole else ""
    picture = bar(size / whole, WIDTH)
    print(f"  {name:10} {size:>8,} {picture:{WIDTH}}  {right:>6.1%} {smaller:>13}", flush=True)


def run(folder: Path) -> None:
    profile = folder / "digits.fcp"
    print("Statistics of two networks go into a profile, once:\n")
    print("$ featcodec train *_train.safetensors -o digits.fcp\n", flush=True)
    featcodec("train", *(HERE / f"{task}_train.safetensors" for task in NETWORKS), "-o", profile)
    print("Features of other pictures are encoded with it, and decoded. The rest of the network")
    print("then tells which digits it sees:\n")
    print("$ featcodec encode vit_eval.safetensors -p digits.fcp --snr 10")
    print("$ featcodec decode vit_eval.fcz -p digits.fcp -o back.safetensors")
    for task, network in NETWORKS.items():
        dump = HERE / f"{task}_eval.safetensors"
        whole = dump.stat().st_size
        print(f"\n  {network}: bytes of the file, and pictures told right")
        row("float16", whole, whole, score(task, dump))
        for snr in SNRS:
            packed, back = folder / f"{task}{snr}.fcz", folder / f"{task}{snr}.safetensors"
            featcodec("encode", dump, "-o", packed, "--snr", snr, "-p", profile)
            featcodec("decode", packed, "-o", back, "-p", profile)
            row(f"{snr} dB", packed.stat().st_size, whole, score(task, back))
    print("\nWhich quality for your network? featcodec suggest DUMP --task MODULE:FUNCTION")
    print("All commands: featcodec --help. Pages with examples: featcodec guide")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="featcodec-demo-") as name:
            run(Path(name))
