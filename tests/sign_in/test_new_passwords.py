"""New passwords: what is refused, and what the page says while one is typed."""

from __future__ import annotations

import json
import random
import time

import pytest
from django.test import Client

from console.accounts.models import User
from console.sign_in.passwords import rate_strength
from tests.conftest import PASSWORD, Organization, start_session

CHANGE = "/accounts/password/change/"
STRENGTH = "/account/password-strength/"
EASY = "This password is easy to guess."
# Of the list of Django, of zxcvbn, and of neither: words, names, dates, repetitions, keys in a row, signs for letters.
GUESSABLE = [
    "megaparol12345",
    "1q2w3e4r5t6y",
    "password1234",
    "P@$$w0rd1234",
    "administrator",
    "Welcome20261",
    "abcabcabcabcabc",
    "qwertyuiop123",
    "密码密码密码密码密码密码",
]
GOOD = ["correct horse battery staple", "M9#vT2!qLx8z", "vier Ziegen tragen Hüte", "我家门前有七棵石榴树和井"]


@pytest.fixture
def client(org: Organization) -> Client:
    return start_session(org.members["operator"])


@pytest.mark.parametrize("password", GUESSABLE)
def test_a_guessable_new_password_is_refused(client: Client, org: Organization, password: str) -> None:
    new = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert EASY in client.post(CHANGE, new).content.decode()
    assert User.objects.get(pk=org.members["operator"].pk).check_password(PASSWORD)


@pytest.mark.parametrize("password", GOOD)
def test_a_new_password_of_unrelated_words_or_random_signs_is_accepted(
    client: Client, org: Organization, password: str
) -> None:
    assert (
        client.post(
            CHANGE, {"oldpassword": PASSWORD, "password1": password, "password2": password}
        ).status_code
        == 302
    )
    assert User.objects.get(pk=org.members["operator"].pk).check_password(password)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("signs", ["({[<4@1!|7", "@48({<[!1|70$5+7%2z9g6", "({[<1!|7", "a1", "({[<4@1!"])
def test_no_password_takes_long_to_rate(signs: str, seed: int) -> None:
    """Without the limits, some of these take minutes."""
    chosen = random.Random(seed).choices(signs, k=100_000)
    for password in ("".join(chosen), signs * 10_000):
        started = time.process_time()
        rate_strength(password)
        assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("short", "This password is too short."),
        ("password1234", EASY),
        ("Sommer im Ga", "Acceptable password"),
        ("correct horse battery staple", "Strong password"),
    ],
)
def test_the_strength_is_stated_while_a_password_is_typed(
    client: Client, password: str, expected: str
) -> None:
    assert expected in client.post(STRENGTH, {"password1": password}).content.decode()


def test_the_stated_strength_considers_the_address_of_a_user_who_is_signed_in(
    client: Client, org: Organization
) -> None:
    page = client.post(STRENGTH, {"password1": org.members["operator"].email}).content.decode()
    assert "too similar to the email address" in page


def test_the_stated_strength_is_limited_for_each_address(org: Organization) -> None:
    visitor = Client()
    statuses = [visitor.post(STRENGTH, {"password1": "correct horse"}).status_code for _ in range(70)]
    assert statuses == [200] * 60 + [204] * 10


def test_nothing_about_the_password_is_returned_stored_or_cached(client: Client) -> None:
    response = client.post(STRENGTH, {"password1": "canary 47 in a coal mine"})
    assert "canary" not in response.content.decode() + json.dumps(dict(response.headers))
    assert "no-store" in response["Cache-Control"]
    assert "canary" not in json.dumps(dict(client.session))


def test_another_site_cannot_ask_for_the_strength(org: Organization) -> None:
    assert Client(enforce_csrf_checks=True).post(STRENGTH, {"password1": "x"}).status_code == 403
