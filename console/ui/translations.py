"""Compiles every `.po` file to a `.mo` file beside it; `make` runs it.

Needs only polib: no Django and no gettext tools.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent.parent
# The interface (see `makemessages`), and the catalogue with the error codes, which are data files.
FOLDERS = (ROOT / "locale", ROOT / "iot_client" / "translations")


def find_po_files(folders: Sequence[Path] = FOLDERS) -> Iterator[Path]:
    """The `.po` files of all languages under the folders."""
    for folder in folders:
        yield from sorted(folder.glob("*/LC_MESSAGES/*.po"))


def compile_file(source: Path) -> Path:
    """Writes the `.mo` beside `source` without fuzzy and empty entries, and returns its path.

    The file is replaced atomically. Raises OSError with the line number if `source` cannot be parsed.
    """
    target = source.with_suffix(".mo")
    unfinished = target.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(polib.pofile(str(source), encoding="utf-8").to_binary())
    return unfinished.replace(target)


if __name__ == "__main__":
    for path in find_po_files():
        compile_file(path)
        sys.stdout.write(f"{path.relative_to(ROOT).with_suffix('.mo')}\n")
