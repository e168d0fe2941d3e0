"""Speed of the neural transform beside CompressAI's coders on the same network and features.

Usage: python tests/benchmarks/compare_compressai.py [-p PROFILE] [--step STEP] DUMP...

Prints MB of float32 a second on one thread: the entropy coding part (tables, rANS) and all of it
(transforms included), for coding and decoding. CompressAI's part is what `compress` and
`decompress` of its ScaleHyperprior do with its EntropyBottleneck and GaussianConditional.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from featcodec import Profile
from featcodec.coding.picture import NeuralCoder
from featcodec.container.wire import Cursor
from featcodec.dumps import Dump
from featcodec.request import Options
from featcodec.training.network.crops import collect
from featcodec.training.network.hyperprior import Hyperprior, deviations
from featcodec.training.network.warm_start import warm_start

VALUES = 1 << 19
RUNS = 3
LEVELS = 64
SCALES = np.exp(np.linspace(np.log(0.11), np.log(256), LEVELS))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least seconds of some runs, and what the last one gave."""
    best = np.inf
    for _ in range(RUNS):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


def ours(coder: NeuralCoder, picture: np.ndarray) -> dict[str, float]:
    network = coder.model.network
    analysed, latents = timed(lambda: network.analysis(picture))
    quantised, symbols = timed(lambda: coder.quantise(latents))
    packed, data = timed(lambda: coder.pack(symbols))
    unpacked, back = timed(lambda: coder.unpack(Cursor(data, "picture"), picture.shape))
    drawn, _ = timed(lambda: coder.picture(back, picture.shape))
    numbered, _ = timed(
        lambda: coder.model.hyper_synthesis(symbols.hyper, symbols.latents.shape[1:])
    )
    return {
        "encode, entropy part": packed,
        "decode, entropy part": unpacked - numbered,
        "encode": analysed + quantised + packed,
        "decode": unpacked + drawn,
        "bits": 8 * len(data) / picture.size,
    }


@torch.inference_mode()
def theirs(model: Hyperprior, coder: NeuralCoder, picture: np.ndarray) -> dict[str, float]:
    model.hyper_model.update(force=True)
    model.latent_model.update_scale_table(torch.from_numpy(SCALES).float(), force=True)
    gain = torch.from_numpy(coder.gain)[:, None, None]
    inverse = torch.from_numpy(coder.inverse_gain)[:, None, None]
    x = torch.from_numpy(picture)[None, None]

    def analyse() -> tuple[torch.Tensor, torch.Tensor]:
        y = model.analysis(x) * gain
        return y, model.hyper_analysis(y.abs())

    def indexes(z: torch.Tensor, y_shape: torch.Size) -> torch.Tensor:
        numbers = model.hyper_synthesis(z)[:, :, : y_shape[2], : y_shape[3]]
        return model.latent_model.build_indexes(deviations(numbers))

    first, (y, z) = timed(analyse)
    z_coded, z_strings = timed(lambda: model.hyper_model.compress(z))
    z_decoded, z_hat = timed(lambda: model.hyper_model.decompress(z_strings, z.shape[2:]))
    scaled, index = timed(lambda: indexes(z_hat, y.shape))
    y_coded, y_strings = timed(lambda: model.latent_model.compress(y, index))
    y_decoded, y_hat = timed(lambda: model.latent_model.decompress(y_strings, index))
    drawn, _ = timed(lambda: model.synthesis(y_hat * inverse))
    return {
        "encode, entropy part": z_coded + z_decoded + y_coded,
        "decode, entropy part": z_decoded + y_decoded,
        "encode": first + z_coded + z_decoded + scaled + y_coded,
        "decode": z_decoded + scaled + y_decoded + drawn,
        "bits": 8 * (len(z_strings[0]) + len(y_strings[0])) / picture.size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dumps", nargs="+", type=Path, metavar="DUMP")
    parser.add_argument("-p", "--profile", default="caufc")
    parser.add_argument("--step", type=float, default=1.0, help="in deviations of the features")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = Profile.load(options.profile).neural
    model = warm_start(network.weights).eval()
    for path in options.dumps:
        tokens = collect([Dump(path)], Options())[0].tokens
        picture = tokens[: VALUES // tokens.shape[1]].astype(np.float32)
        coder = NeuralCoder(network, options.step)
        mine, other = ours(coder, picture), theirs(model, coder, picture)
        print(path.stem, f"{mine.pop('bits'):.3f} b against {other.pop('bits'):.3f} b")
        for what, seconds in mine.items():
            rates = (picture.nbytes / 1e6 / s for s in (seconds, other[what]))
            one, two = rates
            print(f"  {what:24}{one:8.1f} MB/s{two:8.1f} MB/s{one / two:8.1f} times", flush=True)


if __name__ == "__main__":
    main()
