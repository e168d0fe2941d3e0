"""featcodec: a codec for the intermediate features of neural networks.

`featcodec.numpy` and `featcodec.torch` save and load dictionaries of arrays, and `featcodec.torch`
has data sets. `featcodec.joining` appends to files and joins them, `featcodec.salvage` decodes what
is left of damaged ones, `featcodec.request` has the options of the encoder, `featcodec.errors` what
is raised. `featcodec.ext` is for other packages: zarr, numcodecs, datasets, Ray, vLLM, LMCache.
All other modules, which help() lists below, are inner ones and change without notice.
`featcodec guide` in the shell has pages with examples, and the public names on page `python`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access import safe_open as safe_open
    from .coding.profile import Profile as Profile
    from .files import decode_file as decode_file
    from .files import encode_file as encode_file
    from .message import Codec as Codec
    from .request import Quality as Quality
    from .writing.writer import Writer as Writer

__version__ = "1.0.0"

_LAZY = {
    "Codec": "message",
    "Profile": "coding.profile",
    "Quality": "request",
    "Writer": "writing.writer",
    "decode_file": "files",
    "encode_file": "files",
    "safe_open": "access",
}
_MODULES = (
    *("dumps", "errors", "joining", "numpy", "request", "rules", "salvage", "verification"),
)
_WITH_PACKAGES = ("ext", "torch")  # which dir() leaves out, for looking at torch may fail
_OF_ARRAYS = ("load", "load_file", "save", "save_file")
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    # `featcodec info` must start without numpy: nothing heavy is imported before it is asked for.
    import importlib

    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in (*_MODULES, *_WITH_PACKAGES):
        return importlib.import_module(f"{__name__}.{name}")
    where = "; featcodec.numpy and featcodec.torch have it" if name in _OF_ARRAYS else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{where}")


def __dir__() -> list[str]:
    """Return the public names, which help() shows, loaded or not."""
    return sorted({*__all__, *_MODULES, *(name for name in globals() if name.startswith("__"))})
