"""`featcodec append`: dumps added to a file."""

import contextlib
from typing import Any

import click

from . import asked, by_name, complete, failures, gather, render, streams, targets


@click.command(cls=by_name.Command)
@click.argument("file", metavar="FILE", shell_complete=complete.any_file)
@gather.some("dumps", targets.DUMP_SUFFIXES, "DUMP")
@asked.quality_of_file
@by_name.options
@click.option(
    "-p",
    "--profile",
    metavar="P",
    help="Profile to code with (default: that of FILE).",
    callback=asked.profile_there,
    shell_complete=complete.profile,
)
@asked.coding
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@failures.verbose_option
def command(
    file: str,
    dumps: tuple[str, ...],
    quality: dict[str, Any],
    rules: dict[str, str],
    rules_file: str | None,
    profile: str | None,
    coding: dict[str, Any],
    quiet: bool,
    verbose: bool,
) -> int:
    """Add the tensors of dumps to a file.

    Tensors of a name that FILE has are added along the leading axis, others as new ones. Without a
    quality they get that which FILE reached. FILE stays whole until the new one is complete.
    """
    from ..coding.profile import Profile
    from ..joining import append_file
    from ..request import Options, Quality

    options = Options(**asked.options_of(coding, by_name.merged(rules, rules_file)))
    wanted = Quality.choose(**quality) if any(quality.values()) else None
    known = Profile.load(profile) if profile else None
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(streams.readable(dump)) for dump in dumps]
        reports = append_file(file, sources, wanted, profile=known, options=options)
    for dump, report in zip(dumps, reports, strict=True):
        if quiet:
            break
        for line in (*report.remarks, *(report.choices if verbose else ())):
            render.tell(f"{dump}: {failures.as_typed(line)}")
        sizes = f"{render.size(report.input_bytes)} -> {render.size(report.output_bytes)}"
        render.tell(f"{dump} -> {file}: {sizes}  {render.decibels(report.snr_db)}")
    return 0
