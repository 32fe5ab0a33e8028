"""The identity provider in the environment: what is missing or wrong is named at start."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from console.access.sign_on.configuration import apps

GIVEN = {
    "OIDC_ISSUER": "https://login.corp.test/realms/fleet",
    "OIDC_CLIENT_ID": "fleetdesk",
    "OIDC_CLIENT_SECRET": "a-secret",
}


def test_nothing_given_is_no_provider() -> None:
    assert apps({}, insecure_http=False) == []


def test_three_variables_are_enough() -> None:
    (app,) = apps(GIVEN, insecure_http=False)
    assert (app["name"], app["settings"]["scope"]) == ("login.corp.test", ["openid", "profile", "email"])
    assert app["settings"]["oauth_pkce_enabled"]


def test_name_scopes_and_claims_can_be_given() -> None:
    more = {"OIDC_NAME": "Corp", "OIDC_SCOPES": "openid, email groups", "OIDC_SECOND_FACTOR": "mfa,hwk"}
    (app,) = apps(GIVEN | more, insecure_http=False)
    assert app["name"] == "Corp"
    assert app["settings"]["scope"] == ["openid", "email", "groups"]
    assert app["settings"]["second_factor"] == ["mfa", "hwk"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER is not set"),
        ({"OIDC_CLIENT_ID": " "}, "OIDC_CLIENT_ID is not set"),
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET is not set"),
        ({"OIDC_ISSUER": "login.corp.test"}, "OIDC_ISSUER is no address"),
        ({"OIDC_ISSUER": "ftp://login.corp.test"}, "OIDC_ISSUER is no address"),
        ({"OIDC_ISSUER": "https://user@login.corp.test"}, "OIDC_ISSUER is no address"),
        ({"OIDC_ISSUER": "https://login.corp.test/?x=1"}, "OIDC_ISSUER is no address"),
        ({"OIDC_ISSUER": "https://[login"}, "OIDC_ISSUER is no address"),
        ({"OIDC_ISSUER": "http://login.corp.test"}, "OIDC_ISSUER must begin with https"),
        ({"OIDC_SCOPES": "email"}, "OIDC_SCOPES does not hold openid"),
        ({"OIDC_NAME": "x" * 41}, "OIDC_NAME"),
    ],
)
def test_what_is_missing_or_wrong_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named) as raised:
        apps(GIVEN | changed, insecure_http=False)
    assert GIVEN["OIDC_CLIENT_SECRET"] not in str(raised.value)


def test_plain_http_is_for_consoles_on_plain_http() -> None:
    assert apps(GIVEN | {"OIDC_ISSUER": "http://localhost:9000"}, insecure_http=True)
