"""The page that the emulator shows in a browser: how to use it with an SDK. Plain HTML without scripts.

The API has the same path, so the page is sent only for a request that accepts HTML and is not an API call.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from iot_emulator.welcome.sdks import SDKS
from iot_emulator.wire import Environ, Response

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

STYLE_PATH = "/_emulator/page.css"
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Accept, Host"),
    ("Cache-Control", "no-store"),
)
_FOLDER = Path(__file__).parent
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_API_CALL = re.compile(r"(^|&)(Action|Signature|AccessKeyId)=")


def is_browser_request(environ: Environ) -> bool:
    """Whether a request to `/` comes from a browser and not from a client of the API."""
    return (
        environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        and "text/html" in environ.get("HTTP_ACCEPT", "")
        and "HTTP_X_ACS_ACTION" not in environ
        and _API_CALL.search(environ.get("QUERY_STRING", "")) is None
    )


def render_page(emulator: Emulator, environ: Environ) -> Response:
    """Return the page, with the URL of the emulator in its examples."""
    url = emulator.base_url or _request_url(environ)
    values = {
        "url": escape(url),
        "style": STYLE_PATH,
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
        "control": "enabled" if emulator.control_token else "disabled: no control token",
        "faults": str(len(emulator.faults.as_list())),
    }
    return Response(200, "text/html; charset=utf-8", _template().substitute(values).encode(), _HEADERS)


def render_style() -> Response:
    """Return the style sheet of the page."""
    return Response(200, "text/css; charset=utf-8", (_FOLDER / "page.css").read_bytes(), _HEADERS[1:3])


@lru_cache(maxsize=1)
def _template() -> Template:
    return Template((_FOLDER / "page.html").read_text(encoding="utf-8"))


def _request_url(environ: Environ) -> str:
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host):
        host = f"{environ.get('SERVER_NAME', '127.0.0.1')}:{environ.get('SERVER_PORT', '8601')}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"
