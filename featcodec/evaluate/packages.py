"""Packages and programs that only some evaluations need."""

import importlib
import shutil
import subprocess
from typing import Any

from ..functions import MissingPackage


def load(package: str, user: str, extra: str) -> Any:
    """Import an optional package; MissingPackage names the extra that brings it when it is missing.

    `user` is what needs it, in words.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackage(
            f"{user} needs {package.partition('.')[0]}: pip install 'featcodec[{extra}]' ({error})"
        ) from None


def ffmpeg(user: str, encoder: str) -> tuple[str, str]:
    """Return path and version of ffmpeg; MissingPackage when it or the encoder is missing."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingPackage(f"{user} needs the program ffmpeg with {encoder}")
    command = [program, "-encoders"]
    listed = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if encoder not in listed.stdout.split():
        raise MissingPackage(f"{user} needs {encoder}, which this ffmpeg lacks: {program}")
    return program, (listed.stderr.splitlines() or [""])[0]
