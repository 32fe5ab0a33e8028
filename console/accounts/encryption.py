"""Encryption of stored secrets: with the newest of FIELD_ENCRYPTION_KEYS, decryption with any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.module_loading import import_string


class Undecryptable(Exception):
    """None of FIELD_ENCRYPTION_KEYS decrypts the value: the key that encrypted it is missing."""

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be decrypted: its key is not in FIELD_ENCRYPTION_KEYS.")


@dataclass(frozen=True)
class SecretStore:
    """Secrets that are encrypted elsewhere than in an EncryptedTextField. `settings.SECRET_STORES` lists the stores.

    `rotate(batch)` encrypts them with the newest key, `batch` rows in one transaction. It returns how many were re-encrypted,
    and how many cannot be decrypted with any key.
    """

    label: str
    rotate: Callable[[int], tuple[int, int]]


class StoredToken:
    """A token as it is in the database, in the place of its text until the text is read."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __str__(self) -> str:
        raise TypeError(
            "Only the attribute of a row is decrypted. values() and values_list() return the stored token."
        )


@lru_cache(maxsize=4)
def _multi_fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current_fernet() -> MultiFernet:
    return _multi_fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


def encrypt(text: str) -> str:
    """Return `text` as a Fernet token of the newest key."""
    return _current_fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text of a token. Raises Undecryptable."""
    try:
        return _current_fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def rotate(token: str) -> str:
    """Return a token of the same text with the newest key. Raises Undecryptable."""
    try:
        return _current_fernet().rotate(token.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def is_newest(token: str) -> bool:
    """Return whether the token was encrypted with the newest key."""
    try:
        Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


class DecryptedAttribute(DeferredAttribute):
    """The attribute of an encrypted field: the text. Reading it decrypts it, and raises Undecryptable if no key does.

    Loading the row raises nothing: a row with such a secret can still be listed, renamed and given a new secret. It costs
    nothing either: most pages do not need the keys of their connection.
    """

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or not isinstance(value, StoredToken):
            return value
        text = instance.__dict__[self.field.attname] = decrypt(value.token)
        return text

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField[str, str]):
    """Text that is encrypted in the database. Empty text stays empty. The field cannot be searched by value."""

    descriptor_class = DecryptedAttribute

    def get_prep_value(self, value: Any) -> Any:
        """Return the token of a text. A stored token is encrypted with the newest key, or kept if no key decrypts it."""
        if not isinstance(value, StoredToken):
            return encrypt(value) if value else value
        try:
            return rotate(value.token)
        except Undecryptable:
            return value.token

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if self.attname in model_instance.__dict__:
            return model_instance.__dict__[self.attname]
        return super().pre_save(model_instance, add)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return StoredToken(value) if value else value


def list_secret_stores() -> list[SecretStore]:
    """Return the stores of `settings.SECRET_STORES`."""
    return [import_string(path) for path in settings.SECRET_STORES]


def list_encrypted_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Yield every model of the project that has an encrypted field, with the field's name."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name
