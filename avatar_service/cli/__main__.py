"""`python -m avatar_service.cli` is the command `avatar`."""

from avatar_service.cli import main

main()
