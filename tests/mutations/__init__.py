"""Files taken apart into fields, some changed, and put together again, checksums and all."""

from .change import mutated, resealed
from .fields import inflate
from .file import File

__all__ = ["File", "inflate", "mutated", "resealed"]
