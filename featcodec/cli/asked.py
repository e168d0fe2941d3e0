"""What `encode` is asked for of all dumps alike: a quality, and how they are coded."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import profiles
from ..align.layout import ARCHITECTURES, LayoutError, parse
from ..errors import InvalidInput
from ..memory import limit_of
from ..request import DEFAULT_SNR, EFFORTS, FAMILIES, RowGroupSize
from ..stores import is_uri
from .bundle import Decorator, bundled

USUAL = ("auto", "best")  # what options have where nothing is asked


def named(_ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split [NAME=]VALUE options; the empty name stands for all tensors."""
    found: dict[str, str] = {}
    for value in values:
        name, _, text = value.rpartition("=")
        if name in found:
            raise click.UsageError(f"--{param.name} is given twice for {name or 'all tensors'}")
        found[name] = text
    return found


def layouts(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return layouts by name; refuse what is none for any tensor."""
    found = named(ctx, param, values)
    for text in found.values():
        try:
            parse(text)
        except LayoutError as error:
            raise click.UsageError(f"--layout: {error}") from None
    return found


def tags(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return architectures by name; refuse what is none."""
    found = named(ctx, param, values)
    for text in found.values():
        if text not in ARCHITECTURES:
            one = ", ".join(ARCHITECTURES)
            raise click.UsageError(f"--architecture takes one of {one}, not {text!r}")
    return found


def memory(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """Refuse what is no amount of memory."""
    try:
        limit_of(text)
    except InvalidInput as error:
        raise click.UsageError(f"--{error}") from None
    return text


memory_option = click.option(
    "--memory",
    metavar="SIZE",
    help="What decoding may take of memory, such as 4GB; without, what the machine has.",
    callback=memory,
)


def profile_there(_ctx: click.Context, _param: click.Parameter, given: Any) -> Any:
    """Refuse a profile that is not there, once for all inputs."""
    names = (given,) if isinstance(given, str) else given or ()
    for name in names:
        if not (is_uri(name) or name in profiles.named() or Path(name).exists()):
            raise click.UsageError(
                f"--profile {name}: no such file, and no name that `featcodec profiles` lists"
            )
    return given


def checked(**quality: Any) -> dict[str, Any]:
    """Refuse two qualities, or one that makes no sense, before anything is read."""
    asked = [name for name, value in quality.items() if value]
    if len(asked) > 1:
        names = " and ".join("--" + name.replace("_", "-") for name in asked)
        raise click.UsageError(f"choose one quality, not {names}")
    for name, value in quality.items():
        if not isinstance(value, (bool, type(None))) and not (math.isfinite(value) and value > 0):
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} must be a positive number, not {value}")
    return quality


def _quality(default: str) -> Decorator:
    """Return the options of a quality, of which none is asked for by default."""
    return bundled(
        "quality",
        checked,
        snr=click.option(
            "--snr",
            type=float,
            metavar="DB",
            help=f"Signal to noise ratio ({default}).",
        ),
        bpfp=click.option(
            "--bpfp", type=float, metavar="RATE", help="Bits per feature point, whole file."
        ),
        max_error=click.option(
            "--max-error", type=float, metavar="E", help="Absolute error no value exceeds."
        ),
        row_snr=click.option(
            "--row-snr", type=float, metavar="DB", help="SNR of rows, each by its own norm."
        ),
        task_snr=click.option(
            "--task-snr", type=float, metavar="DB", help="SNR by what a task reacts to, with -p."
        ),
        lossless=click.option("--lossless", is_flag=True, help="Bit for bit."),
    )


quality = _quality("20; with -p as it recommends")
quality_of_file = _quality("default: as FILE has it")

coding = bundled(
    "coding",
    dict,
    embed=click.option(
        "--embed-profile", "embed", is_flag=True, help="The file holds the profile that it needs."
    ),
    transform=click.option(
        "--transform",
        type=click.Choice(FAMILIES),
        default="auto",
        show_default=True,
        help="neural needs torch, and takes the network caufc unless -p names another.",
    ),
    layouts=click.option(
        "--layout",
        "layouts",
        multiple=True,
        callback=layouts,
        metavar="[NAME=]LAYOUT",
        help="Axes such as NCHW, NLD, LD; NLD:1+8x8 for a CLS token and an 8x8 grid.",
    ),
    architectures=click.option(
        "--architecture",
        "architectures",
        multiple=True,
        callback=tags,
        metavar="[NAME=]TAG",
        help="cnn, transformer or generic.",
    ),
    pool=click.option(
        "--pool",
        is_flag=True,
        help="The SNR holds for all layers or heads together, not for each.",
    ),
    effort=click.option(
        "--effort",
        type=click.Choice(list(EFFORTS)),
        default="best",
        show_default=True,
        help="fast takes about half the time, and some percent more bits.",
    ),
    row_group=click.option(
        "--row-group",
        metavar="SIZE",
        help="What is decoded at once: samples, 16, or bytes, 64kB"
        " (default: about 3 MB of float32).",
    ),
)


def options_of(coding: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Options`; refuse a size that makes no sense before any reading."""
    options = {**coding, "rules": dict(rules)}
    text = options.pop("row_group")
    if text is None:
        return options
    try:
        return {**options, "row_group": RowGroupSize.parse(text)}
    except InvalidInput as error:
        raise click.UsageError(f"--row-group: {error}") from None


def settings(
    quality: Mapping[str, Any],
    coding: Mapping[str, Any],
    rules: Mapping[str, str],
    profile: str | None,
) -> dict[str, Any]:
    """Return what decides how a file comes out, without what is as usual.

    `profile` is the SHA-256 of one.
    """
    asked = {name: value for name, value in quality.items() if value}
    in_order = [[pattern, text] for pattern, text in rules.items()]  # the first that matches holds
    asked = asked or ({"recommended": True} if profile else {"snr": DEFAULT_SNR})
    found = {**asked, "profile": profile, **coding, "rules": in_order}
    return {name: value for name, value in found.items() if value and value not in USUAL}
