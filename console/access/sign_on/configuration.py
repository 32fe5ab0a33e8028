"""The identity provider as the environment names it, in the form that django-allauth takes. Read by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

# What identities and states are kept under, and what allauth finds the provider by.
PROVIDER_ID = "sign-on"
_NEEDED = ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_OPTIONAL = ("OIDC_NAME", "OIDC_SCOPES", "OIDC_EMAIL_VERIFIED_CLAIM", "OIDC_SECOND_FACTOR")


def apps(environment: Mapping[str, str], *, insecure_http: bool) -> list[dict[str, Any]]:
    """allauth's description of the provider; empty where none is configured.

    Raises ImproperlyConfigured, naming the variable, when a part is missing or cannot be right. Plain HTTP is taken
    only with `insecure_http`.
    """
    given = {name: environment.get(name, "").strip() for name in ("OIDC_ISSUER", *_NEEDED, *_OPTIONAL)}
    issuer = given["OIDC_ISSUER"]
    if not issuer:
        alone = next((name for name, value in given.items() if value), None)
        if alone:
            raise ImproperlyConfigured(
                f"OIDC_ISSUER is not set, but {alone} is. Give the provider's address."
            )
        return []
    _check_issuer(issuer, insecure_http)
    for name in _NEEDED:
        if not given[name]:
            raise ImproperlyConfigured(f"{name} is not set, but OIDC_ISSUER is. The provider gave you both.")
    scopes = words(given["OIDC_SCOPES"]) or ["openid", "profile", "email"]
    if "openid" not in scopes:
        raise ImproperlyConfigured("OIDC_SCOPES does not hold openid, without which there is no sign-in.")
    name = given["OIDC_NAME"] or str(urlsplit(issuer).hostname)
    if len(name) > 40:
        raise ImproperlyConfigured("OIDC_NAME is the label of a button: at most 40 characters.")
    return [
        {
            "provider_id": PROVIDER_ID,
            "name": name,
            "client_id": given["OIDC_CLIENT_ID"],
            "secret": given["OIDC_CLIENT_SECRET"],
            "settings": {
                "server_url": issuer,
                "scope": scopes,
                "oauth_pkce_enabled": True,
                "insecure_http": insecure_http,
                "email_verified_claim": given["OIDC_EMAIL_VERIFIED_CLAIM"] or "email_verified",
                "second_factor": words(given["OIDC_SECOND_FACTOR"]),
            },
        }
    ]


def words(text: str) -> list[str]:
    """The parts of a list that commas or spaces separate."""
    return text.replace(",", " ").split()


def _check_issuer(issuer: str, insecure_http: bool) -> None:
    try:
        parts = urlsplit(issuer)
        fine = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        fine = False
    if not fine or parts.scheme not in {"https", "http"}:
        raise ImproperlyConfigured("OIDC_ISSUER is no address of the form https://host/path.")
    if parts.scheme == "http" and not insecure_http:
        raise ImproperlyConfigured("OIDC_ISSUER must begin with https://: tokens would travel in the clear.")
