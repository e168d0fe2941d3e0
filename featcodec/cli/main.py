"""Entry point: commands loaded when called, errors as one line, exit statuses."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .. import __version__
from . import INTERRUPTED, TERMINATED, failures, render
from .streams import STREAM

# One thread a process: row groups are small, and threads that wait for each other on a busy machine
# cost many times what they bring. Parallel work is done by processes, with --jobs.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

COMMANDS = {
    "suggest": "Print the quality to encode dumps with.",
    "encode": "Encode dumps of features.",
    "decode": "Decode files back to dumps.",
    "info": "Show what a file or a profile holds, and how a dump would be coded.",
    "append": "Add dumps to a file.",
    "concat": "Join files without coding anew.",
    "recover": "Make a file of what an interrupted writer left.",
    "clean": "Remove what killed processes left.",
    "verify": "Check files for damage.",
    "embed": "Put into files the profiles that they need.",
    "train": "Fit a profile to dumps.",
    "profiles": "List profiles; keep your own where decoding finds them.",
    "eval": "Compare codecs on dumps: rate, distortion, accuracy, speed.",
    "guide": "Print a page of the guide, or list its topics.",
    "completion": "Print what a shell reads to complete words.",
    "man": "Print the manual page.",
}


_QUALITY = "a quality is asked by --snr, --bpfp or --max-error (`featcodec guide quality`)"
_EFFORT = f"{_QUALITY}, time by --effort"
LIKE = {  # options of other programs, and what serves for them
    **dict.fromkeys(("--level", "--compression-level", "--compression"), _EFFORT),
    **dict.fromkeys(("--bits", "--rate", "--bitrate", "--crf", "--tolerance"), _QUALITY),
    **dict.fromkeys(("--threads", "--workers", "--processes"), "use -j N, 0 for one a core"),
}


class LazyGroup(click.Group):
    """Imports the module of a command only when that command runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # versions of click differ in what they do
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"featcodec.cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="featcodec %(version)s")
def cli() -> None:
    """Store and send the intermediate features of neural networks in few bits."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; never a traceback for what a user can cause."""
    usual = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # temporary files go
    try:
        sys.exit(cli.main(arguments, prog_name="featcodec", standalone_mode=False) or 0)
    except click.UsageError as error:
        text = " ".join(error.format_message().split())  # choices come one a line
        if isinstance(error, click.NoSuchOption) and error.option_name in LIKE:
            text = f"No such option: {error.option_name}; {LIKE[error.option_name]}"
        if error.ctx is not None:
            help_ = f"Try '{error.ctx.command_path} --help' for help."
            render.tell(*error.ctx.get_usage().splitlines(), help_, "")
        render.complain(text)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        render.complain("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has gone: stay silent
        sys.exit(1)
    except Exception as error:
        asked = sys.argv[1:] if arguments is None else arguments
        verbose = "-v" in asked or "--verbose" in asked
        sys.exit(failures.say(failures.known(error), STREAM, verbose))
    finally:
        signal.signal(
            signal.SIGTERM, usual or signal.SIG_DFL
        )  # what calls this may start processes of its own
