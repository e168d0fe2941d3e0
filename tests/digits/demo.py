"""The main job on real features: train a profile, encode, look, decode, score.

Usage: python tests/digits/demo.py [FOLDER]     (a temporary folder without)
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file
from tails import accuracy

HERE = Path(__file__).resolve().parent
SNRS = (5, 10, 20)


def featcodec(*arguments: object) -> str:
    """Run the command line as a user would, and return what it prints."""
    command = [sys.executable, "-m", "featcodec", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def score(task: str, dump: Path) -> float:
    tensors = load_file(dump)
    return accuracy(task, tensors["features"], tensors["labels"])


def run(folder: Path) -> None:
    profile = folder / "digits.fcp"
    train = [HERE / f"{task}_train.safetensors" for task in ("cnn", "vit")]
    print("$ featcodec train cnn_train.safetensors vit_train.safetensors -o digits.fcp")
    print(featcodec("train", *train, "-o", profile))
    print(f"{'features':10}{'asked':>8}{'bytes':>10}{'ratio':>8}{'SNR':>10}{'top-1':>8}{'was':>8}")
    for task in ("cnn", "vit"):
        dump = HERE / f"{task}_eval.safetensors"
        before = score(task, dump)
        for snr in SNRS:
            packed, back = folder / f"{task}{snr}.fcz", folder / f"{task}{snr}.safetensors"
            said = featcodec("encode", dump, "-o", packed, "--snr", snr, "-p", profile)
            featcodec("decode", packed, "-o", back, "-p", profile)
            size = packed.stat().st_size
            print(
                f"{task:10}{snr:>5} dB{size:>10,}{dump.stat().st_size / size:>7.1f}x"
                f"{said.split('bpfp')[1].strip():>10}{score(task, back):>8.3f}{before:>8.3f}"
            )
    print("\n$ featcodec info vit10.fcz")
    print(featcodec("info", folder / "vit10.fcz"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="featcodec-demo-") as name:
            run(Path(name))
