"""Entry point: commands loaded when called, errors as one line, exit statuses."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .. import __version__
from . import INTERRUPTED, failures, render
from .streams import STREAM
from .swallowed import refuse_swallowed

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
    **dict.fromkeys((f"-{level}" for level in range(1, 10)), _EFFORT),
    **dict.fromkeys(("--bits", "--rate", "--bitrate", "--crf", "--tolerance"), _QUALITY),
    **dict.fromkeys(("--psnr", "--mse", "--quantizer"), _QUALITY),
    **dict.fromkeys(("-T", "--threads", "--workers", "--processes"), "use -j N, 0 for one a core"),
    **dict.fromkeys(("-c", "--stdout", "--to-stdout"), "-o - is standard output"),
    **dict.fromkeys(("-k", "--keep"), "inputs always stay"),
    **dict.fromkeys(("-d", "--decompress", "--uncompress"), "use featcodec decode"),
    "--fast": "use --effort fast",
}
NUMBERS = {"is not a valid float": "is no number", "is not a valid integer": "is no whole number"}


PROGRAMS = {  # what other programs call a command
    **dict.fromkeys(("compress", "pack"), "encode"),
    **dict.fromkeys(("decompress", "extract", "unpack"), "decode"),
    **dict.fromkeys(("list", "ls", "show", "inspect"), "info"),
    **dict.fromkeys(("test", "check", "diff", "compare"), "verify"),
    **dict.fromkeys(("join", "merge", "cat"), "concat"),
    **dict.fromkeys(("bench", "benchmark"), "eval"),
}


ENDING = ("SIGTERM", "SIGHUP")  # signals


class LazyGroup(click.Group):
    """Imports the module of a command only when that command runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # versions of click differ in what they do
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        if args[:1] == ["help"]:  # as git has it
            args = [*args[1:], "--help"]
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
            name, command, left = super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            same = [PROGRAMS[args[0]]] if args[0] in PROGRAMS else []
            near = same or difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", error.ctx) from None
        if command is not None:
            refuse_swallowed(command, left, click.Context(command, ctx, name))
        return name, command, left

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="featcodec %(version)s")
def cli() -> None:
    """Store and send the intermediate features of neural networks in few bits."""


class Ended(SystemExit):
    """A signal that ends the process; whatever is under way cleans up."""


def _end(number: int, _frame: object) -> None:
    raise Ended(128 + number)


def _handled() -> dict[int, Any]:
    """Have signals end the command in order, and return what they did; an ignored one stays so."""
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    usual = {number: signal.getsignal(number) for number in numbers}
    wanted = {number: how for number, how in usual.items() if how is not signal.SIG_IGN}
    for number in wanted:
        signal.signal(number, _end)
    return wanted


def _unknown(error: click.NoSuchOption, arguments: Sequence[str]) -> str:
    """Return what to write for an option that there is not; nothing where nothing is known."""
    if error.option_name in LIKE:
        return f"No such option: {error.option_name}; {LIKE[error.option_name]}"
    known = {name for one in error.ctx.command.params for name in one.opts} if error.ctx else set()
    for word in arguments:
        short = word.partition("=")[0]
        if short.startswith(error.option_name) and f"-{short}" in known:
            return f"No such option: {short}; write -{short}"
    return ""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; never a traceback for what a user can cause."""
    usual = _handled()
    try:
        sys.exit(cli.main(arguments, prog_name="featcodec", standalone_mode=False) or 0)
    except click.UsageError as error:
        text = " ".join(error.format_message().split())  # choices come one a line
        for theirs, ours in NUMBERS.items():
            text = text.replace(theirs, ours)
        if isinstance(error, click.NoSuchOption):
            text = _unknown(error, sys.argv[1:] if arguments is None else arguments) or text
        if error.ctx is not None:
            help_ = f"Try '{error.ctx.command_path} --help' for help."
            render.tell(*error.ctx.get_usage().splitlines(), help_, "")
        render.complain(text)
        sys.exit(2)
    except Ended as end:
        render.complain(f"ended by {signal.Signals(int(str(end.code)) - 128).name}")
        raise
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
        for number, how in usual.items():  # what calls this may start processes of its own
            signal.signal(number, how or signal.SIG_DFL)
