"""The addresses that the console may call: CLOUD_ENDPOINTS, checked by the connection form, the clients and every upload.

Users enter the endpoint of a connection, and the platform's response names the address of an upload. Without the list, either
could name a host in the server's own network. An entry is `host`, `host:port` or `http(s)://host[:port]`; without a scheme it
means https, without a port the default port of the scheme. `*.` at the start stands for one or more labels and is allowed for
https only: there the certificate proves the identity of the server, wherever the DNS name points. Over http only hosts that the
list names in full are called.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from iot_client.client import normalize_endpoint
from iot_client.errors import AccessDenied, BadResponse, InvalidParameter

REFUSED = gettext_noop(
    "The console is not allowed to call this address. A server administrator can add it to CLOUD_ENDPOINTS."
)


class EndpointRefused(AccessDenied):
    """CLOUD_ENDPOINTS does not list the address. Nothing was sent to it."""

    @property
    def concerns_connection(self) -> bool:
        return True


def check_setting() -> None:
    """Raises ImproperlyConfigured if an entry of CLOUD_ENDPOINTS is invalid, so that no process starts with it."""
    _patterns(tuple(settings.CLOUD_ENDPOINTS))


def check_endpoint(endpoint: str | None, region: str, *, operation: str = "") -> str:
    """Returns the normalized address (see `normalize_endpoint`); without an endpoint, the default address of the region.

    Raises EndpointRefused if the list does not contain it, InvalidParameter if it is not an address.
    """
    address = normalize_endpoint(endpoint, region)
    if not is_allowed(address):
        raise EndpointRefused("Client.EndpointRefused", address, operation=operation)
    return address


# The path has plain characters only, so that no URL parser can take a part of it for the host.
_WITH_PATH = re.compile(r"(https?://[^/?#@\\\s]+)(?:/[A-Za-z0-9._/-]*)?", re.ASCII)


def check_store(host: str, *, operation: str) -> None:
    """Check the address of the object store that a response names as `host`: an address with a scheme and an optional path.

    Raises EndpointRefused if the list does not contain it, BadResponse if it is not such an address.
    """
    match = _WITH_PATH.fullmatch(host)
    try:
        address = normalize_endpoint(match[1] if match else "-", "")
    except InvalidParameter as error:
        raise BadResponse(
            "Client.BadResponse", f"upload address {host[:200]!r}", operation=operation
        ) from error
    if not is_allowed(address):
        raise EndpointRefused("Client.StoreRefused", address, operation=operation)


def is_allowed(address: str) -> bool:
    """Whether the list contains an address that `normalize_endpoint` returned."""
    exact, suffixes = _patterns(tuple(settings.CLOUD_ENDPOINTS))
    if address in exact:
        return True
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    return parts.scheme == "https" and any(
        host.endswith(suffix) and port == allowed_port for suffix, allowed_port in suffixes
    )


@lru_cache(maxsize=8)
def _patterns(entries: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, int | None], ...]]:
    """Full addresses, and suffixes of host names (".aliyuncs.com") with their ports; None for the default port."""
    exact, suffixes = set(), []
    for entry in entries:
        scheme, mark, rest = entry.strip().rpartition("://")
        is_wildcard = rest.startswith("*.")
        try:
            address = normalize_endpoint(f"{scheme}{mark}{rest.removeprefix('*.')}", "")
        except InvalidParameter as error:
            raise ImproperlyConfigured(
                f"CLOUD_ENDPOINTS contains {entry!r}, which is neither an address nor *.domain."
            ) from error
        parts = urlsplit(address)
        if not is_wildcard:
            exact.add(address)
        elif parts.scheme == "http":
            raise ImproperlyConfigured(
                f"CLOUD_ENDPOINTS contains {entry!r}. A wildcard is allowed for https only."
            )
        else:
            suffixes.append((f".{parts.hostname}", parts.port))
    return frozenset(exact), tuple(suffixes)
