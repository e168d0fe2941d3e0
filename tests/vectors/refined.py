"""Faulty vectors of refinements (SPEC §7.17) and of swapped numbers (SPEC §8.2)."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from featcodec.entropy.swaps import Swaps
from featcodec.modes import Fields

from .edit import lossy, rewrite, with_model
from .exact import file_of
from .store import Vector, fault, sound

SOUND, LOGARITHMIC = "210-refined-values", "211-refined-logarithms"


def made() -> Iterator[Vector]:
    refined, logarithmic = sound(SOUND), sound(LOGARITHMIC)
    changes = {
        "refined-mean": ("a mean of 1", lossy(mean=1.0)),
        "refined-deviation": ("a deviation of 2", lossy(std=2.0)),
        "refined-single": ("single precision", lossy(double=False)),
        "refined-clamp": ("values that are clamped", lossy(clamp=True)),
        "refined-none": ("transform none", with_model(transform="none", fields=Fields())),
        "refined-dependent": ("dependent quantisation", lossy(dependent=True)),
        "refined-step": ("a step of 3", lossy(step=3.0)),
        "refined-small-step": ("a step below the normal numbers", lossy(step=2.0**-15)),
        "refined-logarithmic-alone": ("logarithms alone", lossy(refined=False, logarithmic=True)),
    }
    for name, (reason, header) in changes.items():
        yield fault(name, reason, rewrite(refined, header))
    yield fault(
        "refined-of-task",
        "a task SNR",
        rewrite(refined, lambda header: replace(header, task_snr=3.0)),
    )
    yield fault(
        "refined-logarithmic-step",
        "a step below 1 of elements as numbers",
        rewrite(logarithmic, lossy(step=0.5)),
    )
    rows = {
        "refined-fine-step": ("a fine step of 129", 0, lambda field: b"\x81"),
        "refined-cut": ("a refinement without its last byte", 2, lambda field: field[:-1]),
        "refined-more": ("a byte behind a refinement", 2, lambda field: field + b"\1"),
    }
    for name, (reason, place, change) in rows.items():

        def change_row(
            fields: list[bytes], at: int = place, to: Callable[[bytes], bytes] = change
        ) -> None:
            fields[at] = to(fields[at])

        yield fault(name, reason, rewrite(refined, rows=change_row))
    yield from _swapped()


def _swapped() -> Iterator[Vector]:
    numbers = np.arange(90, dtype="<u2") * 700

    def file(distance: int = 3, phase: int = 1, channels: int = 5) -> bytes:
        swaps = Swaps(distance, phase, np.arange(7, 7 + 5, dtype="<u2") * 700)
        packed = swaps.pack()
        packed = bytes([distance, phase, channels]) + packed[3:]
        crc = struct.pack("<I", zlib.crc32(numbers.tobytes()))
        planes = b"".join(b"\0" + part.tobytes() for part in numbers.view("u1").reshape(-1, 2).T)
        return file_of({"U16": [crc + b"\5" + packed + planes]})

    yield fault("swapped-distance", "a distance of 0", file(distance=0))
    yield fault("swapped-phase", "a phase behind all channels", file(phase=15))
    yield fault("swapped-channels", "a channel more than numbers", file(channels=6))
    yield fault("swapped-none", "no channels", file(channels=0))
    yield fault("swapped-crc", "elements that were not swapped", file())
