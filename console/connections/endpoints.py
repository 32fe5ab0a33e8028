"""Which addresses this console may call: one list in the settings, asked by the form, the clients and every upload.

A connection's endpoint is typed by people, and the address of an upload comes in an answer: without a list either could
name a host of the server's own network. An entry of `CLOUD_ENDPOINTS` is `host`, `host:port` or `http(s)://host[:port]`;
without a scheme it means https. `*.` at its start stands for one or more labels, and is for https only: there the
certificate proves that the name's owner answers, wherever its DNS points, while over http only a name that the list
spells out is called. A port that is not written is the scheme's own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from console.cloud.client import endpoint_of
from console.cloud.errors import AccessDenied, BadAnswer, InvalidParameter

REFUSED = gettext_noop(
    "This address is not among those that the console may call. Whoever runs the server can add it to CLOUD_ENDPOINTS."
)


class EndpointRefused(AccessDenied):
    """The address is not on the list, so nothing was sent to it."""


def check_setting() -> None:
    """Raises ImproperlyConfigured for an entry of CLOUD_ENDPOINTS that is none, so that no process starts with it."""
    _patterns(tuple(settings.CLOUD_ENDPOINTS))


def demand(endpoint: str | None, region: str, *, operation: str = "") -> str:
    """The address in the form that is called (see `endpoint_of`); without an endpoint the region's own.

    Raises EndpointRefused when the list has it not, InvalidParameter when it is no address.
    """
    address = endpoint_of(endpoint, region)
    if not is_allowed(address):
        raise EndpointRefused("Client.EndpointRefused", address, operation=operation)
    return address


# The path of plain characters only: no reader of addresses then takes another part of it for the host.
_WITH_PATH = re.compile(r"(https?://[^/?#@\\\s]+)(?:/[A-Za-z0-9._/-]*)?", re.ASCII)


def demand_store(host: str, *, operation: str) -> None:
    """The same for the object store that an answer names as `host`: an address with its scheme, and a path if it likes.

    Raises EndpointRefused, or BadAnswer when it is no such address.
    """
    found = _WITH_PATH.fullmatch(host)
    try:
        address = endpoint_of(found[1] if found else "-", "")
    except InvalidParameter as error:
        raise BadAnswer("Client.BadAnswer", f"upload address {host[:200]!r}", operation=operation) from error
    if not is_allowed(address):
        raise EndpointRefused("Client.StoreRefused", address, operation=operation)


def is_allowed(address: str) -> bool:
    """Whether the list has an address that `endpoint_of` wrote."""
    exact, endings = _patterns(tuple(settings.CLOUD_ENDPOINTS))
    if address in exact:
        return True
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    return parts.scheme == "https" and any(
        host.endswith(ending) and port == wanted for ending, wanted in endings
    )


@lru_cache(maxsize=8)
def _patterns(entries: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, int | None], ...]]:
    """Whole addresses, and the endings of host names (".aliyuncs.com") with their ports, None for the usual one."""
    exact, endings = set(), []
    for entry in entries:
        scheme, mark, rest = entry.strip().rpartition("://")
        wild = rest.startswith("*.")
        try:
            address = endpoint_of(f"{scheme}{mark}{rest.removeprefix('*.')}", "")
        except InvalidParameter as error:
            raise ImproperlyConfigured(
                f"CLOUD_ENDPOINTS holds {entry!r}, which is neither an address nor *.a-domain."
            ) from error
        parts = urlsplit(address)
        if not wild:
            exact.add(address)
        elif parts.scheme == "http":
            raise ImproperlyConfigured(f"CLOUD_ENDPOINTS holds {entry!r}: over http a host is named in full.")
        else:
            endings.append((f".{parts.hostname}", parts.port))
    return frozenset(exact), tuple(endings)
