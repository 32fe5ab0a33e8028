"""Compiles the translations: every `.po` beside which gettext looks for a `.mo`. `make` runs it.

Needs no Django and no gettext tools, only polib, so that a bare checkout speaks every language.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent.parent
# Of the interface, which `makemessages` keeps, and of the catalogue and error codes, which lie in data files.
FOLDERS = (ROOT / "locale", ROOT / "console" / "cloud" / "translations")


def catalogues(folders: Sequence[Path] = FOLDERS) -> Iterator[Path]:
    """The `.po` files of all languages under the folders."""
    for folder in folders:
        yield from sorted(folder.glob("*/LC_MESSAGES/*.po"))


def compile_one(source: Path) -> Path:
    """Writes the `.mo` beside `source` and returns its path; fuzzy and empty entries are left out.

    The file appears at once, whole. Raises OSError with the line for a source that cannot be parsed.
    """
    target = source.with_suffix(".mo")
    unfinished = target.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(polib.pofile(str(source), encoding="utf-8").to_binary())
    return unfinished.replace(target)


if __name__ == "__main__":
    for path in catalogues():
        compile_one(path)
        sys.stdout.write(f"{path.relative_to(ROOT).with_suffix('.mo')}\n")
