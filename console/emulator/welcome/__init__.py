"""What a person sees who opens the emulator's address in a browser: how to point an SDK at it. Plain HTML, no scripts.

The API's own path is the same, so only a request that asks for HTML and is no call of the API gets the page.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from console.emulator.welcome.sdks import SDKS
from console.emulator.wire import Answer, Environ

if TYPE_CHECKING:
    from console.emulator.app import Emulator

STYLE = "/_emulator/page.css"
POLICY = "default-src 'none'; style-src 'self'; img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Accept, Host"),
    ("Cache-Control", "no-store"),
)
_HERE = Path(__file__).parent
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_CALL = re.compile(r"(^|&)(Action|Signature|AccessKeyId)=")


def wanted(environ: Environ) -> bool:
    """Whether a request to `/` comes from a person with a browser rather than from a client of the API."""
    return (
        environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        and "text/html" in environ.get("HTTP_ACCEPT", "")
        and "HTTP_X_ACS_ACTION" not in environ
        and _CALL.search(environ.get("QUERY_STRING", "")) is None
    )


def page(emulator: Emulator, environ: Environ) -> Answer:
    """The page, with the address filled in under which it was asked for."""
    url = emulator.base_url or _address(environ)
    values = {
        "url": escape(url),
        "style": STYLE,
        "contents": "".join(f'<li><a href="#{sdk.anchor}">{escape(sdk.name)}</a></li>' for sdk in SDKS),
        "sdks": "".join(
            f'<section id="{sdk.anchor}"><h2>{escape(sdk.name)}</h2><p><code>{escape(sdk.install)}</code></p>'
            f'<pre tabindex="0" role="region" aria-label="{escape(sdk.name)}"><code>{escape(sdk.code(url))}</code></pre>'
            "</section>"
            for sdk in SDKS
        ),
        "instances": ", ".join(f"<code>{escape(name)}</code>" for name in sorted(emulator.instances)),
        "pace": escape(emulator.pace.name),
        "quotas": "enforced" if emulator.quotas.enabled else "not enforced",
        "desk": "open to who has its token" if emulator.control_token else "closed: no token was given",
        "faults": str(len(emulator.faults.as_list())),
    }
    return Answer(200, "text/html; charset=utf-8", _template().substitute(values).encode(), _HEADERS)


def style() -> Answer:
    """The page's look."""
    return Answer(200, "text/css; charset=utf-8", (_HERE / "page.css").read_bytes(), _HEADERS[1:3])


@lru_cache(maxsize=1)
def _template() -> Template:
    return Template((_HERE / "page.html").read_text(encoding="utf-8"))


def _address(environ: Environ) -> str:
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host):
        host = f"{environ.get('SERVER_NAME', '127.0.0.1')}:{environ.get('SERVER_PORT', '8601')}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"
