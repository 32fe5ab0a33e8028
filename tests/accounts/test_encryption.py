"""Stored secrets: encrypted, readable with any of the keys, never lost by saving, rotated to the newest key."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client

from console.accounts.encryption import Undecryptable, is_newest, list_encrypted_fields
from console.accounts.models import User
from console.connections.models import Connection
from tests.conftest import KEY_SECRET, PASSWORD, Organization


def read_column(pk: int) -> str:
    """Return the value in the database."""
    with database.cursor() as cursor:
        cursor.execute("SELECT access_key_secret FROM connections_connection WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


def test_the_database_contains_no_plaintext(org: Organization) -> None:
    assert KEY_SECRET not in read_column(org.connection.pk)
    assert Connection.objects.get(pk=org.connection.pk).access_key_secret == KEY_SECRET


def test_an_older_key_still_decrypts(org: Organization, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEYS]
    assert Connection.objects.get(pk=org.connection.pk).access_key_secret == KEY_SECRET


def test_a_stored_token_is_never_written_as_if_it_were_the_secret(org: Organization) -> None:
    (token,) = Connection.objects.filter(pk=org.connection.pk).values_list("access_key_secret", flat=True)
    with pytest.raises(TypeError, match="attribute of a row"):
        f"{token}"


def test_saving_a_row_with_an_unreadable_secret_keeps_the_secret(org: Organization, settings: Any) -> None:
    before = read_column(org.connection.pk)
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    connection = Connection.objects.get(pk=org.connection.pk)
    connection.name = "Renamed"
    connection.save()
    with pytest.raises(Undecryptable):
        _ = connection.access_key_secret
    assert read_column(connection.pk) == before
    settings.FIELD_ENCRYPTION_KEYS = keys
    assert Connection.objects.get(pk=connection.pk).access_key_secret == KEY_SECRET


def test_rotation_moves_every_secret_to_the_newest_key_and_can_be_repeated(
    org: Organization, settings: Any
) -> None:
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    call_command("rotate_encryption_key", "--batch", "1", verbosity=0)
    tokens = [read_column(c.pk) for c in (org.connection, org.other_connection)]
    assert all(is_newest(token) for token in tokens)
    call_command("rotate_encryption_key")
    assert [read_column(c.pk) for c in (org.connection, org.other_connection)] == tokens
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert Connection.objects.get(pk=org.connection.pk).access_key_secret == KEY_SECRET


def test_rotation_keeps_unreadable_secrets_and_reports_them(org: Organization, settings: Any) -> None:
    before = read_column(org.connection.pk)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rotate_encryption_key")
    assert read_column(org.connection.pk) == before


def read_password_column(user: User) -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT password FROM accounts_user WHERE id = %s", [user.pk])
        return str(cursor.fetchone()[0])


def write_password_column(value: str) -> None:
    with database.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET password = %s", [value])


def test_the_hash_of_a_password_is_encrypted(org: Organization) -> None:
    user = org.members["operator"]
    present = User.objects.get(pk=user.pk)
    assert present.check_password(PASSWORD)
    assert present.password.partition("$")[2] not in read_password_column(user)


def test_a_rotation_re_encrypts_the_hashes_of_passwords_and_ends_no_session(
    org: Organization, sign_in: Any, settings: Any
) -> None:
    user, client = org.members["operator"], sign_in("operator")
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    call_command("rotate_encryption_key", verbosity=0)
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert is_newest(read_password_column(user))
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)
    assert client.get("/account/profile/").status_code == 200


def test_a_user_whose_hash_no_key_decrypts_signs_in_after_a_reset_only(
    org: Organization, sign_in: Any, mailoutbox: Any
) -> None:
    user, client = org.members["operator"], sign_in("operator")
    lost = Fernet(Fernet.generate_key()).encrypt(user.password.encode()).decode()
    write_password_column(lost)
    assert client.get("/account/profile/").status_code == 302, "the session ended"
    visitor = Client()
    page = visitor.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert "Wrong email address or password" in page.content.decode()
    visitor.post("/accounts/password/reset/", {"email": user.email})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mailoutbox[-1].body)
    assert link is not None
    form = visitor.get(link[1])["Location"]
    new = "another battery of staples"
    visitor.post(form, {"password1": new, "password2": new})
    visitor.post("/accounts/login/", {"login": user.email, "password": new})
    assert visitor.get("/account/profile/").status_code == 200


def test_a_hash_that_was_written_to_the_database_without_the_key_is_not_accepted(org: Organization) -> None:
    user = org.members["operator"]
    write_password_column(make_password("planted by somebody"))
    assert not User.objects.get(pk=user.pk).check_password("planted by somebody")


def test_rotation_covers_every_model_with_a_secret() -> None:
    assert (User, "password") in list(list_encrypted_fields())
    assert (Connection, "access_key_secret") in list(list_encrypted_fields())
    assert (Connection, "security_token") in list(list_encrypted_fields())
