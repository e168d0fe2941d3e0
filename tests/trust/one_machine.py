"""What one machine of the matrix does: it encodes dumps, or decodes whatever files it is given.

    python -m tests.trust.one_machine encode CASES.json FOLDER
    python -m tests.trust.one_machine decode FILES.json FOLDER [--reference]

It prints what came of each as JSON: the SHA-256 of a file; or the checksums of its symbols, and the
SHA-256 of the dump that it becomes. With `--reference` the reference decoder decodes, which needs
nothing but the standard library.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .ends import ends_within


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def encode(cases: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    """Encode each case to a file of its name."""
    from featcodec import Profile
    from featcodec.files import encode_file
    from featcodec.request import Options, Quality

    for case in cases:
        profile = Profile.load(case["profile"]) if case["profile"] else None
        options, quality = Options(**case["options"]), Quality.choose(**case["quality"])
        target = folder / case["name"]
        encode_file(case["dump"], target, quality, profile=profile, options=options, overwrite=True)
    return {case["name"]: digest(folder / case["name"]) for case in cases}


def decoded(
    files: list[dict[str, Any]], folder: Path, read: Callable, symbols: list[int]
) -> dict[str, Any]:
    """Decode each file; note its symbols, row group by row group, and its values."""
    found = {}
    for file in files:
        symbols.clear()
        target = folder / f"{file['name']}.safetensors"
        read(Path(file["path"]), target, file["profiles"])
        found[file["name"]] = {"symbols": sorted(symbols), "values": digest(target)}
    return found


def decode(files: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    from featcodec import Profile
    from featcodec.coding.row_group import RowGroupCoder
    from featcodec.entropy.symbols import SymbolDecoder
    from featcodec.files import decode_file

    def read(path: Path, target: Path, profiles: list[str]) -> None:
        known = [Profile.load(one) for one in profiles]
        decode_file(path, target, profile=known, overwrite=True)

    return decoded(files, folder, read, ends_within(RowGroupCoder, "decode", SymbolDecoder, "_crc"))


def decode_by_reference(files: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    from bitstream_spec import reference_decoder as reference

    def read(path: Path, target: Path, profiles: list[str]) -> None:
        known = [Path(one).read_bytes() for one in profiles]
        target.write_bytes(reference.to_safetensors(reference.decode(path.read_bytes(), known)))

    symbols = ends_within(reference, "decode_rows", reference.Symbols, "check")
    return decoded(files, folder, read, symbols)


def main() -> int:
    what, asked, folder, *more = sys.argv[1:]
    asked_of = json.loads(Path(asked).read_text())
    act = {"encode": encode, "decode": decode_by_reference if more else decode}[what]
    print(json.dumps(act(asked_of, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
