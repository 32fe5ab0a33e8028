"""What the identity provider publishes and signs: its addresses, its keys, and the ID token checked against them.

OpenID Connect Core 1.0 (section 3.1.3.7) and Discovery 1.0 (section 4.3) say what has to be checked.
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

# Only signatures that need the provider's private key: with HS256 whoever has the client secret could sign, with none anybody.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_KEPT_SECONDS = 3600
_LEEWAY_SECONDS = 60
_AWAY_SECONDS = 5
_AGAIN_SECONDS = 30  # how often an unknown key makes us ask for the keys again
_MOST_CHARACTERS = 1_000_000
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignOnError(OAuth2Error):  # type: ignore[misc]  # allauth has no type information
    """The provider's answer cannot be used. The message is for the log: it holds nothing that was received."""


class ProviderAway(SignOnError):
    """The provider did not answer, or not with what was asked for."""


def discovery(app: SocialApp) -> dict[str, Any]:
    """The provider's description of itself, kept for an hour. Raises ProviderAway, or SignOnError when it is not what it must be."""
    issuer = str(app.settings["server_url"])
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return _kept("discovery", url, lambda: _checked(app, issuer, fetch(url)))


def fetch(url: str, **headers: str) -> dict[str, Any]:
    """The JSON object at an address of the provider. Raises ProviderAway."""
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(url, headers={"Accept": "application/json", **headers})
            answer.raise_for_status()
            if len(answer.content) > _MOST_CHARACTERS:
                raise ProviderAway("the provider's answer is too long")
            found = answer.json()
    except (RequestException, ValueError) as error:
        raise ProviderAway(f"{urlsplit(url).path}: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise ProviderAway(f"{urlsplit(url).path}: no JSON object")
    return found


def verified_claims(app: SocialApp, id_token: object, *, nonce: str) -> dict[str, Any]:
    """The claims of an ID token, after its signature, issuer, audience, times and nonce were checked. Raises SignOnError."""
    if not isinstance(id_token, str) or len(id_token) > _MOST_CHARACTERS:
        raise SignOnError("the provider sent no ID token")
    described = discovery(app)
    try:
        header = jwt.get_unverified_header(id_token)
        claims = jwt.decode(
            id_token,
            key=_key(described["jwks_uri"], header),
            algorithms=ALGORITHMS,
            audience=app.client_id,
            issuer=described["issuer"],
            leeway=_LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise SignOnError(f"the ID token does not hold: {type(error).__name__}") from error
    if claims.get("nonce") != nonce:
        raise SignOnError("the ID token was made for another request")
    if claims.get("azp", app.client_id) != app.client_id:
        raise SignOnError("the ID token was made for another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise SignOnError("the ID token names nobody")
    return dict(claims)


def with_userinfo(app: SocialApp, claims: Mapping[str, Any], access_token: str) -> dict[str, Any]:
    """The claims with what only the userinfo endpoint says added. What the ID token says counts.

    That an address is verified is believed of the address it was said of, and of no other. Raises SignOnError when the
    endpoint speaks of somebody else.
    """
    url = discovery(app).get("userinfo_endpoint")
    if not url:
        return _storable(dict(claims))
    more = fetch(url, Authorization=f"Bearer {access_token}")
    if more.get("sub") != claims["sub"]:
        raise SignOnError("the userinfo endpoint speaks of somebody else")
    verified = app.settings["email_verified_claim"]
    if "email" not in claims:
        claims = {name: value for name, value in claims.items() if name != verified}
    elif more.get("email") != claims["email"]:
        more.pop(verified, None)
    return _storable({**more, **claims})


def _storable(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims. Raises SignOnError for what is JSON and yet no database takes: NUL, half a surrogate, NaN."""
    try:
        text = json.dumps(claims, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:
        raise SignOnError("the claims hold what cannot be kept") from error
    if r"\u0000" in text or len(text) > _MOST_CHARACTERS:
        raise SignOnError("the claims hold what cannot be kept")
    return claims


def _checked(app: SocialApp, issuer: str, described: dict[str, Any]) -> dict[str, Any]:
    """The parts that are used, after a look at each."""
    if str(described.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise SignOnError("the provider calls itself by another issuer than OIDC_ISSUER")
    kept: dict[str, Any] = {"issuer": described["issuer"]}
    for name in (*_ADDRESSES, "userinfo_endpoint"):
        url = described.get(name)
        if url is None and name not in _ADDRESSES:
            continue
        if not isinstance(url, str) or not _is_address(url, bool(app.settings.get("insecure_http"))):
            raise SignOnError(f"the provider's {name} is missing or no https address")
        kept[name] = url
    methods = described.get("token_endpoint_auth_methods_supported")
    kept["token_endpoint_auth_methods_supported"] = methods if isinstance(methods, list) else []
    return kept


def _is_address(url: str, insecure_http: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (insecure_http and parts.scheme == "http"))


def _key(jwks_uri: str, header: Mapping[str, Any]) -> jwt.PyJWK:
    """The provider's key that the token names; an unknown one makes us look again, for keys are changed now and then."""

    def find(published: Mapping[str, Any]) -> jwt.PyJWK | None:
        keys = [
            key for key in jwt.PyJWKSet.from_dict(dict(published)).keys if key.public_key_use in ("sig", None)
        ]
        named = [key for key in keys if key.key_id == header.get("kid")]
        # A provider with one key need not name it.
        return named[0] if named else keys[0] if len(keys) == 1 and "kid" not in header else None

    found = find(_kept("keys", jwks_uri, lambda: fetch(jwks_uri)))
    if found is None and cache.add(f"sign-on:again:{_digest(jwks_uri)}", True, _AGAIN_SECONDS):
        cache.delete(f"sign-on:keys:{_digest(jwks_uri)}")
        found = find(_kept("keys", jwks_uri, lambda: fetch(jwks_uri)))
    if found is None:
        raise SignOnError("the ID token is signed with a key that the provider does not publish")
    return found


def _kept(what: str, url: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `read` gives, kept for an hour; that the provider was away is kept for seconds, so that not every click waits for it."""
    key = f"sign-on:{what}:{_digest(url)}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        try:
            found = read()
        except ProviderAway:
            cache.set(key, {}, _AWAY_SECONDS)
            raise
        cache.set(key, found, _KEPT_SECONDS)
    if not found:
        raise ProviderAway(f"{what}: away a moment ago")
    return found


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
