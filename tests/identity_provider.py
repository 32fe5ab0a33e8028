"""A real OpenID provider on the loopback interface, and a user who signs in there with a browser without script."""

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
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from console.sign_in.openid_connect import configuration

CLIENT_SECRET = "canary-client-secret-that-is-on-no-page"
Claims = dict[str, Any]
# The browser's side. One client for all tests, because each new client reads the certificates of the machine.
HTTP = httpx.Client(trust_env=False)


class IdentityProvider:
    """A provider whose responses a test can change.

    `replies` has responses (status and body) by path. `change_tokens` changes each response of the token endpoint.
    """

    def __init__(self) -> None:
        # Imported here, because every test process imports this module and few use a provider.
        import oidc_provider_mock

        self.app = oidc_provider_mock.app()
        self.own_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.replies: dict[str, tuple[int, str]] = {}
        self.change_tokens: Callable[[Claims], Claims] = lambda tokens: tokens
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self.server = make_server("localhost", 0, self._respond, threaded=True)
        self.address = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _respond(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        self.requests.append((request.path, parse_qs(body.decode())))
        if request.path in self.replies:
            status, text = self.replies[request.path]
            kind = "application/json" if text.startswith("{") else "text/html"
            headers = {"Location": text} if 300 <= status < 400 else {}
            return Response(text, status, headers, content_type=kind)(environ, start_response)
        response = Response.from_app(self.app, environ)
        if request.path == "/oauth2/token" and response.status_code == 200:
            response.set_data(json.dumps(self.change_tokens(response.get_json())))
        return response(environ, start_response)

    def requests_to(self, path: str) -> list[dict[str, list[str]]]:
        """Return the forms that were sent to a path."""
        return [form for requested, form in self.requests if requested == path]

    def add_user(self, sub: str = "u-1", **claims: Any) -> str:
        """Add a user, or change their claims. Return `sub`. The email address is verified unless `claims` differ."""
        defaults = {"email": f"{sub}@corp.test", "email_verified": True, "name": "Ada L."}
        HTTP.put(f"{self.address}/users/{sub}", json=defaults | claims).raise_for_status()
        return sub

    def sign_tokens(self, *, key: Any = None, algorithm: str = "RS256", **changed: Any) -> None:
        """From now on, sign ID tokens with the published key or with `key`, with `changed` claims (None removes one)."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.own_key.public_key(), as_dict=True)
        self.replies["/jwks"] = 200, json.dumps({"keys": [public | {"kid": "k1", "use": "sig"}]})

        def sign_again(tokens: Claims) -> Claims:
            claims = jwt.decode(tokens["id_token"], options={"verify_signature": False}) | changed
            claims = {name: value for name, value in claims.items() if value is not None}
            signer = self.own_key if key is None else key
            id_token = jwt.encode(claims, signer or None, algorithm=algorithm, headers={"kid": "k1"})
            return tokens | {"id_token": id_token}

        self.change_tokens = sign_again


@pytest.fixture(scope="module")
def running_provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def provider_settings(issuer: str, **variables: str) -> dict[str, Any]:
    """Return SOCIALACCOUNT_PROVIDERS for a provider at that address."""
    environment = {
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "fleetdesk",
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Corp Login",
    }
    return {"openid_connect": {"APPS": configuration.build_apps(environment | variables, insecure_http=True)}}


@pytest.fixture
def provider(running_provider: IdentityProvider, settings: Any) -> IdentityProvider:
    """The provider of this installation, with unchanged responses."""
    running_provider.replies.clear()
    running_provider.requests.clear()
    running_provider.change_tokens = lambda tokens: tokens
    settings.SOCIALACCOUNT_PROVIDERS = provider_settings(running_provider.address)
    return running_provider


def start_sign_on(client: Client, query: str = "", **fields: str) -> str:
    """Press the button for single sign-on. Return the URL at the provider that the browser is sent to."""
    page = client.post(f"/accounts/sign-on/{query}", fields)
    assert page.status_code == 200, page.content
    link = re.search(r'<a class="btn btn-primary btn-wide" href="([^"]+)"', page.content.decode())
    assert link
    return html.unescape(link[1])


def sign_in_at_provider(url: str, sub: str) -> str:
    """Sign in at the provider. Return path and query of the callback that the browser is sent to."""
    response = HTTP.post(url, data={"sub": sub})
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["Location"])
    return f"{parts.path}?{parts.query}"


def sign_on(client: Client, sub: str, **fields: str) -> Any:
    """Sign in through the provider. Return the response of the callback."""
    return client.get(sign_in_at_provider(start_sign_on(client, **fields), sub))
