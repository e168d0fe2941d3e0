"""What tests ask of the encoder that no option says, kept in one place."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from featcodec import compiled, decode_jobs
from featcodec.encoding import choice, lossless, tuning, without_repeats, workers
from featcodec.encoding.tensors import axes, repeats
from featcodec.inputs import safetensors
from featcodec.modes.banded.search import BandedSearch
from featcodec.modes.context.search import ContextSearch
from featcodec.modes.linear.search import LinearSearch

TRELLIS = (LinearSearch, BandedSearch, ContextSearch)


@contextmanager
def row_groups(values: int | None = None, exact: int | None = None) -> Iterator[None]:
    """Write row groups of about so many values with loss, and of so many bit for bit."""
    with pytest.MonkeyPatch.context() as patch:
        if values is not None:
            patch.setattr(choice, "ROW_GROUP_VALUES", values)
        if exact is not None:
            patch.setattr(lossless, "ROW_GROUP_VALUES", exact)
        yield


@contextmanager
def read_in_pieces() -> Iterator[None]:
    """Read tensors of a dump where they are looked at, however small it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safetensors, "AT_ONCE", 0)
        yield


@contextmanager
def workers_always() -> Iterator[None]:
    """Let processes share a dump, however small it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "LEAST_VALUES", 0)
        patch.setattr(safetensors, "AT_ONCE", 0)  # what is in memory is not shared
        patch.setattr(decode_jobs, "LEAST_VALUES", 0)
        yield


@contextmanager
def loops(are_compiled: bool) -> Iterator[None]:
    """Have compiled loops do all work, however little, or none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "LOADING", 0.0 if are_compiled else math.inf)
        yield


@contextmanager
def lossy_always() -> Iterator[None]:
    """Code features with loss, even where they are so few that bit for bit is smaller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "WORTHWHILE", math.inf)
        patch.setattr(tuning, "WORTHWHILE_REGULAR", math.inf)
        yield


@contextmanager
def layouts_always() -> Iterator[None]:
    """Judge layouts by their bits, however few values there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(axes, "LEAST_VALUES", 1)
        patch.setattr(axes, "FEW_VALUES", 1)
        yield


@contextmanager
def without_trellis() -> Iterator[None]:
    """Try no dependent quantisation."""
    with pytest.MonkeyPatch.context() as patch:
        for search in TRELLIS:
            patch.setattr(search, "trellis_gain", None)
        yield


@contextmanager
def trellis_always() -> Iterator[None]:
    """Quantise dependently, even where scalar quantisation takes fewer bits."""
    with pytest.MonkeyPatch.context() as patch:
        for search in TRELLIS:
            patch.setattr(search, "certain_bits", -math.inf)
        patch.setattr(tuning, "TRELLIS", -math.inf)
        yield


@contextmanager
def without_bands() -> Iterator[None]:
    """Try no KLT for each band of frequencies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BandedSearch, "enter", lambda *_: None)
        yield


@contextmanager
def repeats_always() -> Iterator[None]:
    """Leave out repeated rows, however few and short they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "WORTHWHILE", 1e-9)
        patch.setattr(repeats, "LEAST_ROW", 0)
        patch.setattr(without_repeats, "LEAST_COST", math.inf)
        yield
