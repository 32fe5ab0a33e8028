"""The text of a token: `fd_`, 48 random letters and digits (285 bits), and a checksum.

With the prefix and the checksum, secret scanners recognize a token in a repository or a log, and the console refuses
other texts without a database query. Only a digest of the text is stored. The text is random, so a plain SHA-256 is safe.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "fd_"
_LETTERS = string.digits + string.ascii_letters
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 48, 6
_FORMAT = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")
_HINT_LENGTH = len(PREFIX) + 6


def new_key() -> str:
    """Return the text of a new token."""
    body = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Return whether format and checksum of the text are those of a token."""
    return _FORMAT.fullmatch(text) is not None and text[-_CHECKSUM_LENGTH:] == _checksum(
        text[:-_CHECKSUM_LENGTH]
    )


def compute_digest(text: str) -> str:
    """Return the digest of a token, which is stored instead of its text."""
    return hashlib.sha256(text.encode()).hexdigest()


def compute_hint(text: str) -> str:
    """Return the start of a token, by which users recognize it: the prefix and six characters."""
    return text[:_HINT_LENGTH]


def _checksum(body: str) -> str:
    """Return the CRC-32 as six digits of base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
