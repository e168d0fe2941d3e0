"""Kinds of files known by their first bytes, and what to do with one in the wrong place."""

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import PurePath

HEAD = 512  # bytes that tell
BY = ", as by python -c "  # what stands before Python that reads the file
LARGEST_HEADER = 100_000_000  # bytes of JSON that safetensors takes


@dataclass(frozen=True)
class Kind:
    """A kind of file: how it begins, and what to do with one."""

    name: str
    starts: tuple[bytes, ...]
    at: int = 0  # where these bytes are
    has: bytes = b""  # further bytes, somewhere near
    advice: str = ""
    # Python that makes safetensors of it: what it imports, and the tensors of file {path} by name.
    imports: str = ""
    tensors: str = ""

    def matches(self, head: bytes) -> bool:
        return head.startswith(self.starts, self.at) and self.has in head

    def hint(self, path: object) -> str:
        """Return what the file is and what to do."""
        if not self.tensors:
            return f"{self.name}: {self.advice}"
        source, target = str(path), str(PurePath(str(path)).with_suffix(".safetensors"))
        tensors = self.tensors.replace("{path}", json.dumps(source))
        code = (
            f"import {self.imports}; from safetensors.numpy import save_file;"
            f" save_file({tensors}, {json.dumps(target)})"
        )
        advice = self.advice or "make it safetensors"
        return f"{self.name}: {advice}{BY}{shlex.quote(code)}"


# In C order: safetensors stores an array as it lies in memory, whatever its strides are.
ARRAYS = "{k: np.array(v, order='C') for k, v in %s.items()}"
FRAME = "{k: np.stack(v) for k, v in pandas.read_%s({path}).items()}"
ZIP = b"PK\x03\x04"
UNPACK = "unpack it first"

FEATCODEC = Kind("a featcodec file", (b"\x89FCZ",), advice="decode it first, or name its dump")
PROFILE = replace(
    FEATCODEC, name="a featcodec profile", advice="name a dump, and give the profile by -p"
)
OF_PROFILE, KIND_AT = b"\x01\x00", 10  # in the signature of a file (SPEC §2)
ENCODE = "encode it first"
SAFETENSORS = Kind("a safetensors dump", (b"{",), at=8, advice=ENCODE)
NPZ = Kind("a NumPy file (.npz)", (ZIP,), has=b".npy", advice=ENCODE)
NPY = Kind("a NumPy file (.npy)", (b"\x93NUMPY",), advice=ENCODE)
TORCH = Kind("a torch file (.pt, .pth, .ckpt, .bin)", (ZIP,), has=b"/data.pkl", advice=ENCODE)
OLD_TORCH = Kind(
    "a torch file (.pt, .pth, .bin)",
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19",),
    advice=ENCODE,
)
DUMP_SUFFIXES = (".safetensors", ".npz", ".npy", ".pt", ".pth", ".ckpt")
PACKED_SUFFIXES = {".fcz": "an encoded file", ".fcp": "a profile"}
DUMPS = (SAFETENSORS, NPZ, NPY, TORCH, OLD_TORCH)  # that are read
KINDS = (
    FEATCODEC,
    NPZ,
    NPY,
    TORCH,
    OLD_TORCH,
    Kind(
        "a pickle",
        tuple(bytes((0x80, version)) for version in range(2, 6)),
        advice="make it safetensors if you trust it",
        imports="pickle, numpy as np",
        tensors=ARRAYS % 'pickle.load(open({path}, "rb"))',
    ),
    Kind(
        "an HDF5 file",
        (b"\x89HDF\r\n\x1a\n",),
        imports="h5py",
        tensors="{k: v[()] for k, v in h5py.File({path}).items()}",
    ),
    Kind(
        "a Parquet file",
        (b"PAR1",),
        imports="numpy as np, pandas",
        tensors=FRAME % "parquet",
    ),
    Kind(
        "an Arrow file",
        (b"ARROW1",),
        imports="numpy as np, pandas",
        tensors=FRAME % "feather",
    ),
    Kind(
        "a GGUF file",
        (b"GGUF",),
        imports="gguf, numpy as np",
        tensors="{t.name: np.array(t.data) for t in gguf.GGUFReader({path}).tensors}",
    ),
    Kind(
        "a MATLAB file",
        (b"MATLAB 5.0",),
        imports="numpy as np, scipy.io",
        tensors=ARRAYS[:-1] % "scipy.io.loadmat({path})" + " if k[0] != '_'}",
    ),
    Kind("a pointer of Git LFS", (b"version https://git-lfs",), advice="get it: git lfs pull"),
    Kind("a web page", (b"<!DOCTYPE", b"<!doctype", b"<html"), advice="the download failed"),
    Kind("JSON", (b"{",), advice="name the .safetensors files themselves"),
    Kind("a tar archive", (b"ustar",), at=257, advice=UNPACK),
    Kind("a zip archive", (ZIP,), advice=UNPACK),
    Kind("an empty archive", (b"PK\x05\x06",), advice="it holds no arrays"),
    Kind("packed by gzip", (b"\x1f\x8b",), advice=UNPACK),
    Kind("packed by zstd", (b"\x28\xb5\x2f\xfd",), advice=UNPACK),
    Kind("packed by xz", (b"\xfd7zXZ\x00",), advice=UNPACK),
    Kind("packed by bzip2", (b"BZh",), advice=UNPACK),
    Kind("packed by lz4", (b"\x04\x22\x4d\x18",), advice=UNPACK),
)


TEXT = Kind(
    "text",
    (),
    advice="make a dump of its numbers",
    imports="numpy as np",
    tensors='{"features": np.loadtxt({path}, delimiter=",")}',
)


def hint_of_unknown(head: bytes, path: object) -> str:
    """Return the end of a line on a file of no kind that is known, which begins so: what to do."""
    if PurePath(str(path)).suffix in DUMP_SUFFIXES:
        return ", whatever its name says: make or download it again"
    if head.isascii() and head.decode().replace("\n", "").replace("\r", "").isprintable():
        return f"; it is {TEXT.hint(path)}"
    return "; make it one, as numpy.savez does"


def recognise(head: bytes) -> Kind | None:
    """Return the kind of a file that begins so, None when it is not known."""
    if SAFETENSORS.matches(head) and int.from_bytes(head[:8], "little") <= LARGEST_HEADER:
        return SAFETENSORS
    if FEATCODEC.matches(head) and head[KIND_AT:].startswith(OF_PROFILE):
        return PROFILE
    return next((kind for kind in KINDS if kind.matches(head)), None)
