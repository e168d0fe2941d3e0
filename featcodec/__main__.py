"""`python -m featcodec`."""

from .cli.main import main

main()
