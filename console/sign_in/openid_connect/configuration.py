"""The identity provider from the environment, in the format of django-allauth. Used by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_domain_name

# The ID of the provider in allauth, and in stored identities and states.
PROVIDER_ID = "sign-on"
_REQUIRED = ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
_OPTIONAL = ("OIDC_NAME", "OIDC_SCOPES", "OIDC_EMAIL_VERIFIED_CLAIM", "OIDC_SECOND_FACTOR")


def build_apps(environment: Mapping[str, str], *, insecure_http: bool) -> list[dict[str, Any]]:
    """Return the configuration of the provider for allauth, or an empty list if no provider is configured.

    Raises ImproperlyConfigured with the name of the variable that is missing or invalid. Plain HTTP is accepted
    only with `insecure_http`.
    """
    variables = {name: environment.get(name, "").strip() for name in ("OIDC_ISSUER", *_REQUIRED, *_OPTIONAL)}
    issuer = variables["OIDC_ISSUER"]
    if not issuer:
        other = next((name for name, value in variables.items() if value), None)
        if other:
            raise ImproperlyConfigured(
                f"OIDC_ISSUER is not set, but {other} is. Set OIDC_ISSUER to the address of the provider."
            )
        return []
    _check_issuer(issuer, insecure_http)
    for name in _REQUIRED:
        if not variables[name]:
            raise ImproperlyConfigured(
                f"{name} is not set, but OIDC_ISSUER is. Set it to the value from your provider."
            )
    scopes = split_list(variables["OIDC_SCOPES"]) or ["openid", "profile", "email"]
    if "openid" not in scopes:
        raise ImproperlyConfigured("OIDC_SCOPES does not contain openid, which sign-in requires. Add it.")
    name = variables["OIDC_NAME"] or str(urlsplit(issuer).hostname)
    if len(name) > 40:
        raise ImproperlyConfigured("OIDC_NAME is too long: enter up to 40 characters.")
    return [
        {
            "provider_id": PROVIDER_ID,
            "name": name,
            "client_id": variables["OIDC_CLIENT_ID"],
            "secret": variables["OIDC_CLIENT_SECRET"],
            "settings": {
                "server_url": issuer,
                "scope": scopes,
                "oauth_pkce_enabled": True,
                "insecure_http": insecure_http,
                "email_verified_claim": variables["OIDC_EMAIL_VERIFIED_CLAIM"] or "email_verified",
                "second_factor": split_list(variables["OIDC_SECOND_FACTOR"]),
            },
        }
    ]


def read_domains(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the confirmed email domains of SIGN_ON_DOMAINS, each with the slug of its team, or "" for all teams.

    Raises ImproperlyConfigured for an entry that is not `domain` or `domain:team`.
    """
    domains = []
    for entry in split_list(environment.get("SIGN_ON_DOMAINS", "")):
        domain, colon, team = entry.partition(":")
        try:
            validate_domain_name(domain)
            is_valid = bool(team) == bool(colon)
        except ValidationError:
            is_valid = False
        if not is_valid:
            raise ImproperlyConfigured(
                f"SIGN_ON_DOMAINS contains {entry!r}. Write each entry as example.com, or as example.com:team for one team."
            )
        domains.append((domain.lower(), team))
    return domains


def split_list(text: str) -> list[str]:
    """Return the items of a list that is separated by commas or spaces."""
    return text.replace(",", " ").split()


def _check_issuer(issuer: str, insecure_http: bool) -> None:
    try:
        parts = urlsplit(issuer)
        is_valid = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        is_valid = False
    if not is_valid or parts.scheme not in {"https", "http"}:
        raise ImproperlyConfigured("OIDC_ISSUER is not a valid address. Use the form https://host/path.")
    if parts.scheme == "http" and not insecure_http:
        raise ImproperlyConfigured(
            "OIDC_ISSUER must start with https://: plain HTTP does not protect tokens."
        )
