"""`featcodec append`: dumps added to a file."""

import contextlib
from typing import Any

import click

from . import by_name, failures, render, streams
from .encode import check_quality, named


@click.command(cls=by_name.Command)
@click.argument("file", metavar="FILE")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--snr", type=float, metavar="DB", help="Signal to noise ratio.")
@click.option("--bpfp", type=float, metavar="RATE", help="Bits per feature point of a dump.")
@click.option("--max-error", type=float, metavar="E", help="Absolute error no value exceeds.")
@click.option("--row-snr", type=float, metavar="DB", help="SNR of rows, each by its own norm.")
@click.option("--task-snr", type=float, metavar="DB", help="SNR by what a task reacts to, with -p.")
@click.option("--lossless", is_flag=True, help="Bit for bit.")
@by_name.options
@click.option("-p", "--profile", metavar="P", help="Profile to code with (default: FILE's own).")
@click.option(
    "--layout",
    "layout",
    multiple=True,
    callback=named,
    metavar="[NAME=]LAYOUT",
    help="Axes of new tensors, for example NCHW.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    file: str,
    dumps: tuple[str, ...],
    rules: dict[str, str],
    rules_file: str | None,
    profile: str | None,
    layout: dict[str, str],
    quiet: bool,
    verbose: bool,
    **quality: Any,
) -> int:
    """Add the tensors of dumps to a file.

    Tensors of a name that FILE has are added along the leading axis, others as new ones. Without a
    quality they get that which FILE reached. FILE stays whole until the new one is complete.
    """
    from ..coding.profile import Profile
    from ..joining import append_file
    from ..request import Options, Quality

    check_quality(quality)
    asked = Quality.choose(**quality) if any(quality.values()) else None
    options = Options(layouts=layout, rules=by_name.merged(rules, rules_file))
    known = Profile.load(profile) if profile else None
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(streams.readable(dump)) for dump in dumps]
        reports = append_file(file, sources, asked, profile=known, options=options)
    for dump, report in zip(dumps, reports, strict=True):
        if quiet:
            break
        for line in (*report.remarks, *(report.choices if verbose else ())):
            render.tell(f"{dump}: {line}")
        sizes = f"{render.size(report.input_bytes)} -> {render.size(report.output_bytes)}"
        render.tell(f"{dump}: {sizes}  {render.decibels(report.snr_db)}")
    return 0
