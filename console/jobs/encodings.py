"""Detects the encoding of a file: the few encodings that spreadsheets write, each tried strictly on the whole file."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import BinaryIO

from django.utils.translation import gettext_noop

from console.jobs.models import make_sentence

_PIECE_BYTES = 256 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Files that are often uploaded by mistake, by their first bytes.
_FORMATS = (
    (
        b"PK\x03\x04",
        gettext_noop(
            "This is a ZIP file, not a CSV file or an Excel workbook (.xlsx). Extract it and upload the list."
        ),
    ),
    (
        b"\xd0\xcf\x11\xe0",
        gettext_noop(
            "This is an old or encrypted Excel workbook. In Excel, save it as .xlsx without a password, or as CSV, and upload that file."
        ),
    ),
    (b"%PDF", gettext_noop("This is a PDF file, not a CSV file. Upload a CSV file.")),
    (b"\x1f\x8b", gettext_noop("This file is compressed. Extract it and upload the CSV file.")),
    (b"\x89PNG", gettext_noop("This is an image, not a CSV file. Upload a CSV file.")),
    (b"\xff\xd8\xff", gettext_noop("This is an image, not a CSV file. Upload a CSV file.")),
)
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "gb18030": "GB18030",
}


class UnusableFile(Exception):
    """The whole file cannot be used. `sentence` explains why; `columns` are the cells of its first row, if they are known."""

    def __init__(self, text: str, columns: list[str] | None = None, **args: object) -> None:
        super().__init__(text % args if args else text)
        self.sentence = make_sentence(text, **args)
        self.columns = columns


class UnknownEncoding(UnusableFile):
    """The text of the file cannot be read with its encoding: a user may know another one."""


def detect_encoding(open_file: Callable[[], BinaryIO], chosen: str = "") -> str:
    """Return the Python name of the file's encoding. Raises UnusableFile for a file that is not text, UnknownEncoding for one in
    another encoding, also if it is `chosen` by a user.

    Reads the file once or twice, piece by piece.
    """
    with open_file() as file:
        start = file.read(8192)
    if not start:
        raise UnusableFile(gettext_noop("The file is empty."))
    for magic, text in _FORMATS:
        if start.startswith(magic):
            raise UnusableFile(text)
    if chosen:
        _check_encoding(open_file, chosen)
        return chosen
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            _check_encoding(open_file, encoding)
            return encoding
    encoding = _utf16_without_bom(start)
    if encoding:
        _check_encoding(open_file, encoding)
        return encoding
    if _is_binary(start):
        raise UnusableFile(
            gettext_noop("This is not a text file. Save the table as CSV and upload that file.")
        )
    error_position = _find_decoding_error(open_file, "utf-8")
    if error_position is None:
        return "utf-8"
    if _is_mostly_utf8(open_file):
        raise _damaged_file("utf-8", error_position)
    problem = _find_decoding_error(open_file, "gb18030")
    if problem is None and _reads_as_chinese(open_file):
        return "gb18030"
    raise UnknownEncoding(
        gettext_noop(
            "The encoding of the file was not recognized. Save it as “CSV UTF-8” and upload that file."
        )
    )


def _utf16_without_bom(start: bytes) -> str:
    """Return the name of a UTF-16 encoding without a byte-order mark; "" for none.

    Every other byte of mostly western text is zero.
    """
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


def _check_encoding(open_file: Callable[[], BinaryIO], encoding: str) -> None:
    at = _find_decoding_error(open_file, encoding)
    if at is not None:
        raise _damaged_file(encoding, at)


def _damaged_file(encoding: str, at: int) -> UnknownEncoding:
    text = gettext_noop(
        "The file starts as %(encoding)s but is damaged near byte %(at)d. Save it again and upload it."
    )
    return UnknownEncoding(text, encoding=ENCODING_NAMES[encoding], at=at)


def _is_mostly_utf8(open_file: Callable[[], BinaryIO]) -> bool:
    """Return whether the file has more UTF-8 letters than damage. Read as GB18030 it would give wrong text without an error."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    with open_file() as file:
        while good + bad < 20_000 and (piece := file.read(_PIECE_BYTES)):
            text = decoder.decode(piece)
            wrong = text.count("\ufffd")
            bad += wrong
            good += sum(character > "\x7f" for character in text) - wrong
    return good > bad


def _find_decoding_error(open_file: Callable[[], BinaryIO], encoding: str) -> int | None:
    """Return None if the whole file has this encoding, else the approximate byte position of the first error."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    at = 0
    with open_file() as file:
        try:
            while piece := file.read(_PIECE_BYTES):
                decoder.decode(piece)
                at += len(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return at + error.start
    return None


def _reads_as_chinese(open_file: Callable[[], BinaryIO]) -> bool:
    """Return whether the file, read as GB18030, is plausible Chinese text.

    Nearly any bytes decode as GB18030. Chinese text stays within its old core, GB 2312; misread western text does not.
    """
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    core = foreign = 0
    with open_file() as file:
        while core + foreign < 20_000 and (piece := file.read(_PIECE_BYTES)):
            for character in decoder.decode(piece):
                if character > "\x7f":
                    try:
                        character.encode("gb2312")
                        core += 1
                    except UnicodeEncodeError:
                        foreign += 1
    return core >= foreign * 4
