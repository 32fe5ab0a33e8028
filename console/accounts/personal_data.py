"""What the console stores about a user, for the file that the user downloads and for the deletion of the account.

Each part of the console declares its rows. `settings.PERSONAL_DATA` lists the declarations.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from console.accounts.models import User


@dataclass(frozen=True)
class PersonalData:
    """Rows that concern a user.

    `name`: in the file, which contains the `fields` of each row. `find`: the rows, in order. `ends_with_account`: they are
    deleted with the account. The others state what happened in a team, and stay.
    """

    name: str
    find: Callable[[User], QuerySet[Any]]
    fields: tuple[str, ...]
    ends_with_account: bool = False


def list_personal_data() -> list[PersonalData]:
    """Return all declarations."""
    return [part for path in settings.PERSONAL_DATA for part in import_string(path)]


def write_personal_data(user: User) -> Iterator[str]:
    """Yield a JSON object: the name of each part with a list of its rows, which are read while they are sent."""
    before = "{\n"
    for part in list_personal_data():
        yield f"{before}{json.dumps(part.name)}: ["
        separator = "\n"
        for row in part.find(user).values(*part.fields).iterator(chunk_size=500):
            yield separator + json.dumps(row, ensure_ascii=False, cls=DjangoJSONEncoder)
            separator = ",\n"
        yield "]"
        before = ",\n"
    yield "\n}\n"


def delete_personal_data(user: User) -> None:
    """Delete the rows that end with the account."""
    for part in list_personal_data():
        if part.ends_with_account:
            part.find(user).delete()
