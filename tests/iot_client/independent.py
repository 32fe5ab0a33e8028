"""A second implementation of the signing rules, independent of the code under test.

It works on the raw bytes of a request, as a server receives them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"


def decode(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The names and values of a query or form, as bytes."""
    pairs = []
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_unescape(name), _unescape(value)))
    return pairs


def _unescape(raw: bytes) -> bytes:
    result = bytearray()
    position = 0
    while position < len(raw):
        byte = raw[position]
        if byte == 0x25:
            result.append(int(raw[position + 1 : position + 3], 16))
            position += 3
            continue
        result.append(0x20 if byte == 0x2B else byte)
        position += 1
    return bytes(result)


def _escape(raw: bytes) -> bytes:
    return b"".join(bytes([b]) if b in UNRESERVED else b"%%%02X" % b for b in raw)


def signature(method: bytes, pairs: list[tuple[bytes, bytes]], secret: bytes) -> str:
    """The expected signature of these decoded pairs."""
    canonical = b"&".join(
        _escape(name) + b"=" + _escape(value) for name, value in sorted(pairs) if name != b"Signature"
    )
    string = method + b"&" + _escape(b"/") + b"&" + _escape(canonical)
    return base64.b64encode(hmac.new(secret + b"&", string, hashlib.sha1).digest()).decode()
