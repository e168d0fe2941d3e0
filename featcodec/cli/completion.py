"""`featcodec completion`: what teaches a shell the words of the command line."""

import click
from click.shell_completion import get_completion_class

from . import render

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_FEATCODEC_COMPLETE"  # by which the shell asks: click's own name for it


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print what a shell reads so that Tab completes commands, options and profiles.

    In bash: eval "$(featcodec completion bash)", best at the end of ~/.bashrc; in zsh the same with
    zsh in ~/.zshrc; in fish: featcodec completion fish > ~/.config/fish/completions/featcodec.fish
    """
    from .main import cli

    found = get_completion_class(shell)
    assert found is not None
    render.show(*found(cli, {}, "featcodec", VARIABLE).source().strip().splitlines())
    return 0
