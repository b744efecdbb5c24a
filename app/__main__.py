"""`python -m app`: the same as `clarus-stream`."""

from app.cli import main

main()
