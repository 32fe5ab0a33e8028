"""The text of a token: `fd_`, 48 random letters and digits (285 bits), and a checksum.

The prefix and the checksum let secret scanners tell one in a repository or a log, and let the console refuse what is none
without asking the database. Of the text itself only a digest is kept: it is random, so a plain SHA-256 cannot be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "fd_"
_LETTERS = string.digits + string.ascii_letters
_RANDOM, _CHECKSUM = 48, 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}")
_HINT = len(PREFIX) + 6


def new_key() -> str:
    """A token that nobody has."""
    body = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return body + _checksum(body)


def looks_right(text: str) -> bool:
    """Whether a text can be a token: its form and its checksum are right."""
    return _FORM.fullmatch(text) is not None and text[-_CHECKSUM:] == _checksum(text[:-_CHECKSUM])


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def hint(text: str) -> str:
    """The beginning that people tell it by: prefix and six letters."""
    return text[:_HINT]


def _checksum(body: str) -> str:
    """CRC-32 in six digits of base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, place = divmod(number, len(_LETTERS))
        digits = _LETTERS[place] + digits
    return digits
