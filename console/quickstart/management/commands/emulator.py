"""`manage.py emulator`: the command line of the emulator, with its database in the home folder."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from iot_emulator import command_line


class Command(BaseCommand):
    """Django's own options do not apply: the emulator's parser reads all arguments and prints the help."""

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(_run(argv[2:]))

    def print_help(self, prog_name: str, subcommand: str) -> None:
        _run(["--help"])


def _run(arguments: list[str]) -> int:
    return command_line.main(
        arguments, program="manage.py emulator", database=Path(settings.HOME) / "emulator.sqlite3"
    )
