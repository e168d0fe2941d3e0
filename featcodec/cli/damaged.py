"""What helps with a file that cannot be decoded."""

import contextlib

from .. import formats
from ..container.salvage import SalvageReader
from ..errors import FeatcodecError
from ..opening import open_source
from .info_of_message import is_message


def hint(path: str, salvage: str) -> str:
    """Return what an error says further of a file that is damaged, or none of ours.

    Nothing where nothing helps. `salvage` is what is typed to decode the rest of one.
    """
    with contextlib.closing(open_source(path)) as file:
        kind = formats.recognise(file.read(0, formats.HEAD))
        if kind not in (None, formats.FEATCODEC):
            return ""  # a large file of another kind is not searched for an index
        with contextlib.suppress(FeatcodecError):
            if SalvageReader(file, path).index.tensors:
                return f"; {salvage} decodes the rest"
        message = kind is None and is_message(file)
        return "; a message is decoded by featcodec.Codec" * message
