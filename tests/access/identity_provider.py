"""A real OpenID provider on loopback, and a person who goes through it with a browser without script."""

from __future__ import annotations

import html
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import oidc_provider_mock
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from console.access.sign_on import configuration

CLIENT_SECRET = "canary-client-secret-that-is-on-no-page"
Claims = dict[str, Any]


class IdentityProvider:
    """`people` sign in there. What it answers can be changed on the wire: `replies` by path, `token` each token answer."""

    def __init__(self) -> None:
        self.app = oidc_provider_mock.app()
        self.own_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.replies: dict[str, tuple[int, str]] = {}
        self.token: Callable[[Claims], Claims] = lambda answer: answer
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.server = make_server("localhost", 0, self._wire, threaded=True)
        self.address = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _wire(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        self.asked.append((request.path, parse_qs(body.decode())))
        if request.path in self.replies:
            status, text = self.replies[request.path]
            kind = "application/json" if text.startswith("{") else "text/html"
            headers = {"Location": text} if 300 <= status < 400 else {}
            return Response(text, status, headers, content_type=kind)(environ, start_response)
        answer = Response.from_app(self.app, environ)
        if request.path == "/oauth2/token" and answer.status_code == 200:
            answer.set_data(json.dumps(self.token(answer.get_json())))
        return answer(environ, start_response)

    def asked_for(self, path: str) -> list[dict[str, list[str]]]:
        """The forms that were sent to a path."""
        return [form for asked, form in self.asked if asked == path]

    def person(self, sub: str = "u-1", **claims: Any) -> str:
        """Somebody who has an account there, with a verified address unless `claims` say otherwise."""
        known = {"email": f"{sub}@corp.test", "email_verified": True, "name": "Ada L."}
        httpx.put(f"{self.address}/users/{sub}", json=known | claims).raise_for_status()
        return sub

    def signs(self, *, key: Any = None, algorithm: str = "RS256", **changed: Any) -> None:
        """From now on ID tokens carry the `changed` claims (None: without), signed by the key it publishes, or by `key`."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.own_key.public_key(), as_dict=True)
        self.replies["/jwks"] = 200, json.dumps({"keys": [public | {"kid": "k1", "use": "sig"}]})

        def again(answer: Claims) -> Claims:
            claims = jwt.decode(answer["id_token"], options={"verify_signature": False}) | changed
            claims = {name: value for name, value in claims.items() if value is not None}
            signer = self.own_key if key is None else key
            signed = jwt.encode(claims, signer or None, algorithm=algorithm, headers={"kid": "k1"})
            return answer | {"id_token": signed}

        self.token = again


@pytest.fixture(scope="module")
def _running() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def sign_on_through(issuer: str, **variables: str) -> dict[str, Any]:
    """The setting for a provider at that address."""
    environment = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "fleetdesk",
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Corp Login",
    }
    return {"openid_connect": {"APPS": configuration.apps(environment | variables, insecure_http=True)}}


@pytest.fixture
def provider(_running: IdentityProvider, settings: Any) -> IdentityProvider:
    """The provider, set up in this installation, answering as it should."""
    _running.replies.clear()
    _running.asked.clear()
    _running.token = lambda answer: answer
    settings.SOCIALACCOUNT_PROVIDERS = sign_on_through(_running.address)
    return _running


def leave(client: Client, query: str = "", **fields: str) -> str:
    """Press the button: the address at the provider that the browser is led to."""
    page = client.post(f"/accounts/sign-on/{query}", fields)
    assert page.status_code == 200, page.content
    found = re.search(r'<a class="btn btn-primary btn-wide" href="([^"]+)"', page.content.decode())
    assert found
    return html.unescape(found[1])


def approve(url: str, sub: str) -> str:
    """Sign in at the provider: the path and query of the callback that the browser is sent to."""
    back = httpx.post(url, data={"sub": sub})
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["Location"])
    return f"{parts.path}?{parts.query}"


def sign_on(client: Client, sub: str, **fields: str) -> Any:
    """The whole way there and back: what the console answers."""
    return client.get(approve(leave(client, **fields), sub))
