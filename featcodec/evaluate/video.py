"""Intra pictures of video codecs: a plane as one grey picture of 12 bits, coded by ffmpeg.

The encoder's own settings are whole numbers. Each of a few of them is a step in levels of the
picture, and the amplitude of the picture is chosen such that it is the wanted step in values.
"""

import struct
import subprocess
from dataclasses import dataclass

import numpy as np

from ..errors import Unreachable
from .coders import Array, Coder, Shape
from .pictures import mosaic, plane_of

TOP = (1 << 12) - 1  # the largest level
LEAST_SIDE = 16  # that the encoders take
PIXELS = "gray12le"
HEAD = struct.Struct("<fB")  # value of level 0, quantiser


@dataclass(frozen=True)
class Encoder:
    """How ffmpeg is asked for a stream."""

    name: str
    arguments: str  # {} is the quantiser
    stream: str  # the format of its output
    steps: dict[int, float]  # quantiser -> step in levels of 12 bits, about


# Screen content has tools for sparse maps, and nothing is lost by them elsewhere. The steps are
# those of libaom's AC table at four times the quantiser, in eighths.
AV1 = Encoder(
    "libaom-av1",
    "-crf {} -b:v 0 -cpu-used 6 -aom-params tune-content=screen",
    "obu",
    {1: 35 / 8, 2: 75 / 8, 4: 183 / 8, 8: 456 / 8, 16: 1049 / 8, 32: 2798 / 8},
)
# The SNR is what counts, so what serves the eye is off; no words about the encoder are stored.
HEVC = Encoder(
    "libx265",
    "-preset slow -tune psnr -x265-params"
    " qp={}:ipratio=1:keyint=1:tskip=1:info=0:pools=1:frame-threads=1:log-level=error",
    "hevc",
    {qp: 16 * 2 ** ((qp - 4) / 6) for qp in range(0, 37, 6)},
)


class Video(Coder):
    """The setting is the step of the values that the encoder's quantiser comes to."""

    def __init__(self, program: str, encoder: Encoder) -> None:
        """`program` is the path of ffmpeg."""
        self.program, self.encoder = program, encoder

    def encode(self, plane: Array, setting: float) -> bytes:
        low = np.float32(plane.min())
        reach = float(plane.max() - low)
        fits = [q for q, step in self.encoder.steps.items() if reach * step / setting <= TOP]
        if not fits:
            raise Unreachable("a sample of a picture has 12 bits, the step asks for more")
        scale = np.float32(self.encoder.steps[fits[-1]] / setting)
        picture = np.rint((mosaic(plane) - low) * scale).astype("<u2")
        room = [(0, max(LEAST_SIDE - size, 0)) for size in picture.shape]
        stream = self._run(
            *_raw(picture.shape),
            "-c:v",
            self.encoder.name,
            *self.encoder.arguments.format(fits[-1]).split(),
            *("-threads", "1", "-f", self.encoder.stream),
            data=np.pad(picture, room, "edge").tobytes(),
        )
        return HEAD.pack(low, fits[-1]) + stream

    def decode(self, data: bytes, shape: Shape, setting: float) -> Array:
        low, quantiser = HEAD.unpack_from(data)
        scale = np.float32(self.encoder.steps[quantiser] / setting)
        rows, columns = mosaic(np.broadcast_to(np.uint8(0), shape)).shape
        raw = self._run(
            *("-f", self.encoder.stream, "-threads", "1", "-i", "pipe:"),
            *("-f", "rawvideo", "-pix_fmt", PIXELS),
            data=data[HEAD.size :],
        )
        picture = np.frombuffer(raw, "<u2").reshape(-1, max(columns, LEAST_SIDE))[:rows, :columns]
        return plane_of(picture, mosaic, shape) / scale + np.float32(low)

    def _run(self, *arguments: str, data: bytes) -> bytes:
        command = [self.program, "-hide_banner", "-loglevel", "error", *arguments, "pipe:"]
        done = subprocess.run(command, input=data, capture_output=True)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"ffmpeg: {said[-1] if said else done.returncode}")
        return done.stdout


def _raw(sizes: Shape) -> list[str]:
    """Return the arguments that describe a raw picture (rows, columns) as the input."""
    rows, columns = (max(size, LEAST_SIDE) for size in sizes)
    size = f"{columns}x{rows}"
    return ["-f", "rawvideo", "-pix_fmt", PIXELS, "-s", size, "-i", "pipe:"]
