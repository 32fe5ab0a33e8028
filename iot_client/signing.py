"""The two signing schemes of the platform: the signature of a request, and the text that is signed.

RPC, HMAC-SHA1, version 1.0: the signature is a parameter of the request. The client uses this scheme.
ACS3-HMAC-SHA256: the signature is in the Authorization header. Current SDKs use it, so the emulator verifies it.

All functions take decoded values and encode them again: senders differ in how they write `+`, `*` or `~`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

_UNRESERVED = "-_.~"
ACS3_ALGORITHM = "ACS3-HMAC-SHA256"


def percent_encode(value: str) -> str:
    """Percent-encoding for both schemes: `A-Za-z0-9-_.~` stay, a space is `%20`, everything else is UTF-8 as `%XX`."""
    if value.isalnum() and value.isascii():
        return value  # most values are; this check costs less than the encoding
    return quote(value, safe=_UNRESERVED)


def canonical_query(params: Mapping[str, str]) -> str:
    """The parameters without `Signature`, sorted by name, encoded and joined."""
    return "&".join(
        f"{percent_encode(name)}={percent_encode(value)}"
        for name, value in sorted(params.items())
        if name != "Signature"
    )


def rpc_string_to_sign(method: str, params: Mapping[str, str]) -> str:
    """The string to sign: the method, the path `/` and all parameters (query and form merged, decoded)."""
    return f"{method}&%2F&{percent_encode(canonical_query(params))}"


def rpc_signature(string: str, secret: str) -> str:
    """HMAC-SHA1 of the string to sign, in Base64. The key is the secret followed by `&`."""
    digest = hmac.digest(f"{secret}&".encode(), string.encode(), "sha1")
    return base64.b64encode(digest).decode("ascii")


def rpc_sign(method: str, params: Mapping[str, str], secret: str) -> str:
    """The value of the `Signature` parameter for a request with these parameters."""
    return rpc_signature(rpc_string_to_sign(method, params), secret)


def form_encode(params: Mapping[str, str]) -> str:
    """The `application/x-www-form-urlencoded` text of a query or a body."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in params.items())


# --- ACS3


@dataclass(frozen=True, slots=True)
class Acs3Authorization:
    """The parts of an ACS3 Authorization header."""

    key_id: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_acs3_authorization(header: str) -> Acs3Authorization:
    """Read `ACS3-HMAC-SHA256 Credential=…,SignedHeaders=a;b,Signature=…`; raises ValueError for other text."""
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ACS3_ALGORITHM:
        raise ValueError(f"not {ACS3_ALGORITHM}")
    parts = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    try:
        signed = tuple(name for name in parts["SignedHeaders"].lower().split(";") if name)
        return Acs3Authorization(parts["Credential"], signed, parts["Signature"])
    except KeyError as missing:
        raise ValueError(f"{missing.args[0]} is missing") from None


def acs3_canonical_request(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    signed_headers: Iterable[str],
    body_sha256: str,
) -> str:
    """The canonical request. `query`: decoded. `headers`: names in any case. `body_sha256`: SHA-256 of the body in lower-case hex.

    It contains only the headers in `signed_headers`. A header that is missing counts as empty.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    names = sorted(name.lower() for name in signed_headers)
    canonical_headers = "".join(f"{name}:{lower.get(name, '').strip()}\n" for name in names)
    canonical = "&".join(f"{percent_encode(k)}={percent_encode(v)}" for k, v in sorted(query.items()))
    encoded_path = quote(path or "/", safe=f"/{_UNRESERVED}")
    return "\n".join([method, encoded_path, canonical, canonical_headers, ";".join(names), body_sha256])


def acs3_string_to_sign(canonical_request: str) -> str:
    """The algorithm and the SHA-256 of the canonical request."""
    return f"{ACS3_ALGORITHM}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"


def acs3_signature(canonical_request: str, secret: str) -> str:
    """HMAC-SHA256 of the string to sign, in lower-case hex."""
    return hmac.digest(secret.encode(), acs3_string_to_sign(canonical_request).encode(), "sha256").hex()
