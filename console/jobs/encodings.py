"""In which encoding a file is written: the few that spreadsheets save, each tried strictly on the whole file."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import BinaryIO

from django.utils.translation import gettext_noop

from console.jobs.models import said

_PIECE = 256 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What people upload by mistake, by its first bytes.
_FORMATS = (
    (
        b"PK\x03\x04",
        gettext_noop(
            "This is an Excel workbook (or another ZIP file), not a CSV. In Excel choose “Save as… CSV UTF-8”, and upload that file."
        ),
    ),
    (
        b"\xd0\xcf\x11\xe0",
        gettext_noop(
            "This is an old Excel workbook, not a CSV. In Excel choose “Save as… CSV”, and upload that file."
        ),
    ),
    (b"%PDF", gettext_noop("This is a PDF, not a CSV.")),
    (b"\x1f\x8b", gettext_noop("This file is compressed. Unpack it, and upload the CSV itself.")),
    (b"\x89PNG", gettext_noop("This is a picture, not a CSV.")),
    (b"\xff\xd8\xff", gettext_noop("This is a picture, not a CSV.")),
)
NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "gb18030": "GB18030",
}


class Unusable(Exception):
    """The file as a whole cannot be used. `sentence` says why, to people; `columns` is its first line, if it has one."""

    def __init__(self, text: str, columns: list[str] | None = None, **args: object) -> None:
        super().__init__(text % args if args else text)
        self.sentence = said(text, **args)
        self.columns = columns


def find(open_file: Callable[[], BinaryIO]) -> str:
    """The Python name of the file's encoding. Raises Unusable for what is no text, or in no encoding that is known.

    Reads the file once or twice, a piece at a time.
    """
    with open_file() as file:
        start = file.read(8192)
    if not start:
        raise Unusable(gettext_noop("The file is empty."))
    for magic, text in _FORMATS:
        if start.startswith(magic):
            raise Unusable(text)
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            _check(open_file, encoding)
            return encoding
    silent = _utf16_without_bom(start)
    if silent:
        _check(open_file, silent)
        return silent
    if _is_binary(start):
        raise Unusable(gettext_noop("This is not a text file. Save the table as CSV, and upload that file."))
    damaged = _decodes(open_file, "utf-8")
    if damaged is None:
        return "utf-8"
    if _is_mostly_utf8(open_file):
        raise _damage("utf-8", damaged)
    problem = _decodes(open_file, "gb18030")
    if problem is None and _reads_as_chinese(open_file):
        return "gb18030"
    raise Unusable(
        gettext_noop(
            "The file is in none of the encodings UTF-8, UTF-16 and GB18030. Save it as “CSV UTF-8”, and upload that file."
        )
    )


def _utf16_without_bom(start: bytes) -> str:
    """Every other byte of mostly western text is zero."""
    half = len(start) // 2
    if half < 4:
        return ""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def _is_binary(start: bytes) -> bool:
    control = sum(start.count(byte) for byte in (*range(0, 9), 11, 12, *range(14, 27), *range(28, 32)))
    return control > max(2, len(start) * 0.02)


def _check(open_file: Callable[[], BinaryIO], encoding: str) -> None:
    at = _decodes(open_file, encoding)
    if at is not None:
        raise _damage(encoding, at)


def _damage(encoding: str, at: int) -> Unusable:
    text = gettext_noop("The file begins as %(encoding)s, but is damaged near byte %(at)d.")
    return Unusable(text, encoding=NAMES[encoding], at=at)


def _is_mostly_utf8(open_file: Callable[[], BinaryIO]) -> bool:
    """Whether it has more letters of UTF-8 than damage. As GB18030 it would be read without an error, and all wrong."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    with open_file() as file:
        while good + bad < 20_000 and (piece := file.read(_PIECE)):
            text = decoder.decode(piece)
            wrong = text.count("\ufffd")
            bad += wrong
            good += sum(character > "\x7f" for character in text) - wrong
    return good > bad


def _decodes(open_file: Callable[[], BinaryIO], encoding: str) -> int | None:
    """None when the whole file is in that encoding, else about where it is not."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    at = 0
    with open_file() as file:
        try:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
                at += len(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return at + error.start
    return None


def _reads_as_chinese(open_file: Callable[[], BinaryIO]) -> bool:
    """Nearly any bytes decode as GB18030. Chinese text stays within its old core, GB 2312; misread western text does not."""
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    core = foreign = 0
    with open_file() as file:
        while core + foreign < 20_000 and (piece := file.read(_PIECE)):
            for character in decoder.decode(piece):
                if character > "\x7f":
                    try:
                        character.encode("gb2312")
                        core += 1
                    except UnicodeEncodeError:
                        foreign += 1
    return core >= foreign * 4
