"""`python -m affuse` is the command `affuse`."""

from affuse.cli.main import run

run()
