"""Completion and manual page: made from the commands, and so of all of them."""

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from featcodec.cli.completion import SHELLS
from featcodec.cli.main import COMMANDS, cli

from .test_cli import run


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Yield the words and the command of each command, of groups within groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


def completed(*words: str) -> list[str]:
    """Return what bash would offer for the last word."""
    environment = {
        **os.environ,
        "_FEATCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("featcodec", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-m", "featcodec"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line.split(",", 1)[1] for line in done.stdout.splitlines()]


def test_commands_options_and_profiles_are_completed() -> None:
    assert completed("e") == ["encode", "embed", "eval"]
    assert completed("profiles", "re") == ["remove"]
    assert completed("encode", "--sk") == ["--skip-existing"]
    assert completed("encode", "-p", "ca") == ["caufc"]
    assert completed("encode", "--transform", "n") == ["none", "neural"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(run("completion", shell).out)
    assert "_FEATCODEC_COMPLETE" in script.read_text()
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    subprocess.run([shell, "-n", script], check=True, capture_output=True)


def test_another_shell_is_a_usage_error() -> None:
    assert "bash" in run("completion", "csh").misused()


@pytest.fixture(scope="module")
def manual() -> str:
    return run("man").out.decode()


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_manual_has_each_command_with_all_its_options(words: tuple, manual: str) -> None:
    part = manual.partition(f"\n.SS featcodec {' '.join(words)} ")[2].partition("\n.SS ")[0]
    text = part.replace("\\-", "-").replace("\\&", "")
    for parameter in ALL[words].get_params(click.Context(ALL[words])):
        if isinstance(parameter, click.Option):
            assert all(name in text for name in parameter.opts)
            assert " ".join((parameter.help or "").split()) in text
    first = inspect.cleandoc(ALL[words].help).split("\n\n")[0]
    assert " ".join(first.split()) in text


def shown(page: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Return what man makes of a page."""
    page.write_text(text)
    command = ["man", "--warnings", "-l", str(page)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_manual_is_sound_for_man(manual: str, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("no man")
    if "anything" not in shown(tmp_path / "a.1", ".TH A 1\n.SH NAME\nanything\n").stdout:
        pytest.skip("the man of a small image shows no pages")
    done = shown(tmp_path / "featcodec.1", manual)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COMMANDS)
