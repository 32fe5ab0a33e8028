"""Secrets at rest: text encrypted with the newest of FIELD_ENCRYPTION_KEYS, readable with any of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute


class Undecryptable(Exception):
    """None of FIELD_ENCRYPTION_KEYS opens the value: the key that closed it is missing."""

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be read: its key is not among FIELD_ENCRYPTION_KEYS.")


class Unreadable:
    """A token that no key opens, kept as it is, so that saving the rest of its row does not destroy it."""

    def __init__(self, token: str) -> None:
        self.token = token


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current_ring() -> MultiFernet:
    return _ring(tuple(settings.FIELD_ENCRYPTION_KEYS))


def encrypt(text: str) -> str:
    """`text` as a Fernet token of the newest key."""
    return _current_ring().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text of a token. Raises Undecryptable."""
    try:
        return _current_ring().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def rotate(token: str) -> str:
    """The same text under the newest key. Raises Undecryptable."""
    try:
        return _current_ring().rotate(token.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def is_newest(token: str) -> bool:
    """Whether the newest key closed the token."""
    try:
        Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


class _Decrypted(DeferredAttribute):
    """The attribute of a field on a row: the text, or Undecryptable raised when it is asked for.

    Asked for, not loaded: a row with an unreadable secret can still be listed, renamed and given a new secret.
    """

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Unreadable):
            raise Undecryptable
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField[str, str]):
    """Text that the database holds encrypted. Empty stays empty. It cannot be searched by value."""

    descriptor_class = _Decrypted

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Unreadable):
            return value.token
        return encrypt(value) if value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if self.attname in model_instance.__dict__:
            return model_instance.__dict__[self.attname]
        return super().pre_save(model_instance, add)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        """The text, or an Unreadable in its place."""
        if not value:
            return value
        try:
            return decrypt(value)
        except Undecryptable:
            return Unreadable(value)


def encrypted_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Every model of the project that holds encrypted text, with the field's name."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name
