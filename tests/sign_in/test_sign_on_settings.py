"""The identity provider in the environment, and the errors at start for missing or invalid variables."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from console.sign_in.openid_connect.configuration import build_apps, read_domains

VARIABLES = {
    "OIDC_ISSUER": "https://login.corp.test/realms/fleet",
    "OIDC_CLIENT_ID": "fleetdesk",
    "OIDC_CLIENT_SECRET": "a-secret",
}


def test_without_variables_there_is_no_provider() -> None:
    assert build_apps({}, insecure_http=False) == []


def test_three_variables_are_sufficient() -> None:
    (app,) = build_apps(VARIABLES, insecure_http=False)
    assert (app["name"], app["settings"]["scope"]) == ("login.corp.test", ["openid", "profile", "email"])
    assert app["settings"]["oauth_pkce_enabled"]


def test_name_scopes_and_second_factor_are_configurable() -> None:
    optional = {"OIDC_NAME": "Corp", "OIDC_SCOPES": "openid, email groups", "OIDC_SECOND_FACTOR": "mfa,hwk"}
    (app,) = build_apps(VARIABLES | optional, insecure_http=False)
    assert app["name"] == "Corp"
    assert app["settings"]["scope"] == ["openid", "email", "groups"]
    assert app["settings"]["second_factor"] == ["mfa", "hwk"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER is not set"),
        ({"OIDC_CLIENT_ID": " "}, "OIDC_CLIENT_ID is not set"),
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET is not set"),
        ({"OIDC_ISSUER": "login.corp.test"}, "OIDC_ISSUER is not a valid address"),
        ({"OIDC_ISSUER": "ftp://login.corp.test"}, "OIDC_ISSUER is not a valid address"),
        ({"OIDC_ISSUER": "https://user@login.corp.test"}, "OIDC_ISSUER is not a valid address"),
        ({"OIDC_ISSUER": "https://login.corp.test/?x=1"}, "OIDC_ISSUER is not a valid address"),
        ({"OIDC_ISSUER": "https://[login"}, "OIDC_ISSUER is not a valid address"),
        ({"OIDC_ISSUER": "http://login.corp.test"}, "OIDC_ISSUER must start with https"),
        ({"OIDC_SCOPES": "email"}, "OIDC_SCOPES does not contain openid"),
        ({"OIDC_NAME": "x" * 41}, "OIDC_NAME"),
    ],
)
def test_the_error_names_the_missing_or_invalid_variable(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message) as raised:
        build_apps(VARIABLES | changed, insecure_http=False)
    assert VARIABLES["OIDC_CLIENT_SECRET"] not in str(raised.value)


def test_plain_http_is_accepted_only_with_insecure_http() -> None:
    assert build_apps(VARIABLES | {"OIDC_ISSUER": "http://localhost:9000"}, insecure_http=True)


def test_domains_are_confirmed_for_one_team_or_for_all() -> None:
    assert read_domains({}) == []
    domains = read_domains({"SIGN_ON_DOMAINS": "Corp.test, partner.test:partners"})
    assert domains == [("corp.test", ""), ("partner.test", "partners")]


@pytest.mark.parametrize("entry", ["corp.test:", ":acme", "no domain", "ada@corp.test", "*"])
def test_an_invalid_domain_is_named(entry: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SIGN_ON_DOMAINS"):
        read_domains({"SIGN_ON_DOMAINS": entry})
