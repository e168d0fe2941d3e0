"""`python -m featcodec` and the command `featcodec`."""

import os
import signal
from typing import NoReturn

from .cli import INTERRUPTED


def main() -> NoReturn:
    """Run the command line; an interruption is quiet from the start."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)  # nothing has begun: there is nothing to clean up
    from .cli.main import main as run

    signal.signal(signal.SIGINT, usual)
    run()


def _stop(*_: object) -> None:
    os.write(2, b"featcodec: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
