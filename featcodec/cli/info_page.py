"""`featcodec info --html`: a page with what is said of files and dumps, and pictures of them."""

import html
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput, ProfileMissing
from ..outputs import complete, exists
from . import batch, failures, gather, render, streams, targets
from .info_lines import Shown, file_shown
from .info_of_dump import dump_shown

if TYPE_CHECKING:
    from ..evaluate.sampled import Sample

SHOWN: dict[str, Callable[[dict[str, Any], bool], Shown]] = {"file": file_shown, "dump": dump_shown}
NAME = 36  # characters of a tensor's name above its bar
NUMBERS = "mean {:.4g}, deviation {:.4g}, from {:.4g} to {:.4g}"


def write(
    inputs: gather.Found,
    describe: Callable[[str], dict[str, Any]],
    output: str | None,
    force: bool,
    verbose: bool,
) -> int:
    """Write a page of all inputs, where one can be shown at all; return the exit status."""
    from ..evaluate import web
    from ..evaluate.packages import load

    load("matplotlib", "info --html", "eval")
    if output is not None:
        targets.refuse_clashes([("input", one.path) for one in inputs], [("output", output)])
    elif sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("refusing to write a page to a terminal; name a file with -o")

    if output is not None and output != streams.STREAM and exists(output) and not force:
        raise InvalidInput(f"{output} exists; use --force to overwrite it")

    def work(one: gather.Input) -> list[str]:
        if one.error:
            raise InvalidInput(f"{one.path} {one.error}")
        with streams.readable(one.path) as path:
            return section(describe(path), path, one.path, verbose)

    parts, failed = [], []
    for one, result in batch.run(work, inputs, jobs=1, fail_fast=False):
        if isinstance(result, Exception):
            failed.append(failures.say(result, one.path, verbose))
        else:
            parts += result
    if parts:
        page = web.whole("featcodec info", parts).encode()
        if output is None or output == streams.STREAM:
            sys.stdout.buffer.write(page)
        else:
            with complete(output, force) as out:
                out.write(page)
    return failures.status_of(failed, len(inputs))


def section(found: dict[str, Any], path: str, name: str, verbose: bool) -> list[str]:
    """Return the parts of a page that show a file or a dump."""
    from ..evaluate import portrait, web
    from ..evaluate.sampled import samples

    if found["kind"] not in SHOWN:
        raise InvalidInput(
            f"{name} is a {found['kind']}: --html shows files and dumps; leave it out"
        )
    shown = SHOWN[found["kind"]](found, verbose)
    parts = [f"<h2>{escaped(name)}</h2>\n<p>{'<br>'.join(map(escaped, shown.head))}</p>\n"]
    parts.append(web.table(shown.rows, shown.right))
    parts.append(f"<p>{'<br>'.join(escaped(line) for line in shown.below if line)}</p>\n")
    if any(shown.sizes):
        said = [
            f"{shortened(render.printable(row[0]))}: {render.size(size)}, {row[7]} bpfp"
            for size, row in zip(shown.sizes, shown.rows[1:], strict=True)
        ]
        parts.append(web.drawings(f"{name}-bytes", [portrait.sizes(said, shown.sizes)]))
    try:
        for number, sample in enumerate(samples(found["tensors"], READ[found["kind"]](path))):
            pictures = web.drawings(f"{name}-{number}", portrait.pictures(sample))
            parts += [f"<h3>{escaped(title(sample))}</h3>\n", facts(sample), pictures]
    except ProfileMissing as error:
        parts.append(f"<p>No values: {escaped(str(error))}</p>\n")
    return parts


def of_file(path: str) -> Callable[[str, int | None], Any]:
    from ..access import safe_open

    file = safe_open(path)
    return lambda name, rows: file.get_slice(name)[:rows].astype("float64")


def of_dump(path: str) -> Callable[[str, int | None], Any]:
    import numpy as np

    from ..align.numbers import to_float
    from ..dumps import Dump

    dump = Dump(path)
    tensors = {tensor.name: tensor for tensor in dump.tensors}

    def read(name: str, rows: int | None) -> Any:
        stored = np.asarray(tensors[name].array()[:rows])
        return to_float(stored, tensors[name].dtype).astype(np.float64)

    return read


READ = {"file": of_file, "dump": of_dump}


def title(sample: "Sample") -> str:
    first, last = sample.names[0], sample.names[-1]
    return first if first is last else f"{first} .. {last} ({len(sample.names):,})"


def facts(sample: "Sample") -> str:
    """Return a paragraph of numbers on the values of a group."""
    values, unit = sample.values, sample.values / sample.scale
    mean, deviation = unit.mean() * sample.scale, unit.std() * sample.scale
    said = NUMBERS.format(mean, deviation, values.min(), values.max())
    zeros = (values == 0).mean()
    said += f", {zeros:.1%} zeros" * bool(zeros)
    seen = f"; of {values.size:,} of its values" * (not math.isclose(sample.left, 0, abs_tol=1e-9))
    return f"<p>{escaped(said + seen)}</p>\n"


def escaped(text: str) -> str:
    return html.escape(render.printable(text))


def shortened(name: str) -> str:
    half = NAME // 2
    return name if len(name) <= NAME else f"{name[:half]}...{name[-half:]}"
