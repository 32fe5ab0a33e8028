"""The published data of the identity provider (endpoints and keys), and the verification of its ID tokens.

The checks are those of OpenID Connect Core 1.0, section 3.1.3.7, and Discovery 1.0, section 4.3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.cache import cache
from requests import RequestException

# Only signatures that need the private key of the provider. HS256 needs only the client secret, and `none` needs no key.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_CACHE_SECONDS = 3600
_LEEWAY_SECONDS = 60
_UNAVAILABLE_SECONDS = 5
_KEY_REFRESH_SECONDS = 30  # the keys are read again for an unknown key once in this time at most
_MAX_CHARACTERS = 1_000_000
_REQUIRED_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignOnError(OAuth2Error):  # type: ignore[misc]  # allauth has no type information
    """The response of the provider cannot be used. The message is for the log and contains no received data."""


class ProviderUnavailable(SignOnError):
    """The provider did not respond, or its response is invalid."""


def read_discovery(app: SocialApp) -> dict[str, Any]:
    """Return the discovery document of the provider, cached for an hour.

    Raises ProviderUnavailable, and SignOnError if the document is not acceptable.
    """
    issuer = str(app.settings["server_url"])
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return _read_cached("discovery", url, lambda: _check_discovery(app, issuer, fetch_json(url)))


def fetch_json(url: str, **headers: str) -> dict[str, Any]:
    """Return the JSON object at a URL of the provider. Raises ProviderUnavailable."""
    try:
        with get_adapter().get_requests_session() as session:
            response = session.get(url, headers={"Accept": "application/json", **headers})
            response.raise_for_status()
            if len(response.content) > _MAX_CHARACTERS:
                raise ProviderUnavailable("the response of the provider is too long")
            document = response.json()
    except (RequestException, ValueError) as error:
        raise ProviderUnavailable(f"{urlsplit(url).path}: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise ProviderUnavailable(f"{urlsplit(url).path}: not a JSON object")
    return document


def verify_id_token(app: SocialApp, id_token: object, *, nonce: str) -> dict[str, Any]:
    """Check signature, issuer, audience, times and nonce of an ID token, and return its claims. Raises SignOnError."""
    if not isinstance(id_token, str) or len(id_token) > _MAX_CHARACTERS:
        raise SignOnError("the provider sent no ID token")
    document = read_discovery(app)
    try:
        header = jwt.get_unverified_header(id_token)
        claims = jwt.decode(
            id_token,
            key=_find_key(document["jwks_uri"], header),
            algorithms=ALGORITHMS,
            audience=app.client_id,
            issuer=document["issuer"],
            leeway=_LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise SignOnError(f"the ID token is not valid: {type(error).__name__}") from error
    if claims.get("nonce") != nonce:
        raise SignOnError("the ID token belongs to another request")
    if claims.get("azp", app.client_id) != app.client_id:
        raise SignOnError("the ID token belongs to another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise SignOnError("the ID token has no subject")
    return dict(claims)


def add_userinfo(app: SocialApp, claims: Mapping[str, Any], access_token: str) -> dict[str, Any]:
    """Return the claims of the ID token, with those that only the userinfo endpoint returns added.

    "Email verified" counts only for the email address from the same source. Raises SignOnError if the endpoint returns
    another subject, and ProviderUnavailable.
    """
    url = read_discovery(app).get("userinfo_endpoint")
    if not url:
        return _check_storable(dict(claims))
    userinfo = fetch_json(url, Authorization=f"Bearer {access_token}")
    if userinfo.get("sub") != claims["sub"]:
        raise SignOnError("the userinfo endpoint returned another subject")
    verified_claim = app.settings["email_verified_claim"]
    if "email" not in claims:
        claims = {name: value for name, value in claims.items() if name != verified_claim}
    elif userinfo.get("email") != claims["email"]:
        userinfo.pop(verified_claim, None)
    return _check_storable({**userinfo, **claims})


def _check_storable(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims. Raises SignOnError if they are too long, or have values that a database cannot store.

    JSON allows some such values: NUL, half a surrogate pair, and NaN.
    """
    try:
        text = json.dumps(claims, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:
        raise SignOnError("the claims cannot be stored") from error
    if r"\u0000" in text or len(text) > _MAX_CHARACTERS:
        raise SignOnError("the claims cannot be stored")
    return claims


def _check_discovery(app: SocialApp, issuer: str, document: dict[str, Any]) -> dict[str, Any]:
    """Check the parts of a discovery document that are used, and return only these. Raises SignOnError."""
    if str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise SignOnError("the issuer of the provider is not OIDC_ISSUER")
    checked: dict[str, Any] = {"issuer": document["issuer"]}
    for name in (*_REQUIRED_ENDPOINTS, "userinfo_endpoint"):
        url = document.get(name)
        if url is None and name not in _REQUIRED_ENDPOINTS:
            continue
        if not isinstance(url, str) or not _is_allowed_url(url, bool(app.settings.get("insecure_http"))):
            raise SignOnError(f"the {name} of the provider is missing or is not an HTTPS URL")
        checked[name] = url
    methods = document.get("token_endpoint_auth_methods_supported")
    checked["token_endpoint_auth_methods_supported"] = methods if isinstance(methods, list) else []
    return checked


def _is_allowed_url(url: str, insecure_http: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (insecure_http and parts.scheme == "http"))


def _find_key(jwks_uri: str, header: Mapping[str, Any]) -> jwt.PyJWK:
    """Return the key of the provider that the token names. For an unknown key, read the keys again: they may have changed.

    Raises SignOnError if the provider does not publish the key.
    """

    def find_in(published: Mapping[str, Any]) -> jwt.PyJWK | None:
        keys = [
            key for key in jwt.PyJWKSet.from_dict(dict(published)).keys if key.public_key_use in ("sig", None)
        ]
        named = [key for key in keys if key.key_id == header.get("kid")]
        # A provider with only one key does not have to name it.
        return named[0] if named else keys[0] if len(keys) == 1 and "kid" not in header else None

    key = find_in(_read_cached("keys", jwks_uri, lambda: fetch_json(jwks_uri)))
    if key is None and cache.add(f"sign-on:key-refresh:{_digest(jwks_uri)}", True, _KEY_REFRESH_SECONDS):
        cache.delete(f"sign-on:keys:{_digest(jwks_uri)}")
        key = find_in(_read_cached("keys", jwks_uri, lambda: fetch_json(jwks_uri)))
    if key is None:
        raise SignOnError("the ID token is signed with a key that the provider does not publish")
    return key


def _read_cached(subject: str, url: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `read`, cached for an hour.

    If the provider is unavailable, that is cached for some seconds, so that not every request waits for it.
    """
    key = f"sign-on:{subject}:{_digest(url)}"
    document: dict[str, Any] | None = cache.get(key)
    if document is None:
        try:
            document = read()
        except ProviderUnavailable:
            cache.set(key, {}, _UNAVAILABLE_SECONDS)
            raise
        cache.set(key, document, _CACHE_SECONDS)
    if not document:
        raise ProviderUnavailable(f"{subject}: unavailable a moment ago")
    return document


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
