"""Stored secrets: encrypted, readable with any of the keys, never lost by saving, rotated to the newest key."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection as database

from console.accounts.encryption import Undecryptable, is_newest, list_encrypted_fields
from console.connections.models import Connection
from tests.conftest import KEY_SECRET, Organization


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


def test_rotation_covers_every_model_with_a_secret() -> None:
    assert (Connection, "access_key_secret") in list(list_encrypted_fields())
    assert (Connection, "security_token") in list(list_encrypted_fields())
