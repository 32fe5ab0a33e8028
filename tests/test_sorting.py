"""Every column of every list that can be sorted is sorted, in both directions, without an error.

The lists are not listed here: they are found on the pages of the URLconf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client

from console.ui.tables import BoundTable
from tests.expectations import MEMBERS_ONLY
from tests.populated import PopulatedTeam
from tests.roles import NOBODY

SignIn = Callable[[str], Client]
# Lists of the console itself, and lists that the platform returns as a whole.
SORTED = {
    "approvals:list",
    "connections:list",
    "devices:groups",
    "explorer:history",
    "jobs:list",
    "messaging:topics",
    "products:list",
    "products:tags",
    "teams:audit",
    "teams:audit-reads",
    "teams:members",
    "teams:roles",
    "teams:tokens",
}


def list_tables(response: Any) -> list[BoundTable[Any]]:
    context = response.context if response.status_code == 200 and response.context else []
    parts = context if isinstance(context, list) else [context]  # Django's ContextList is a list of contexts
    values = {id(value): value for part in parts for layer in part for value in layer.values()}
    return [value for value in values.values() if isinstance(value, BoundTable)]


def test_each_sortable_column_sorts_in_both_directions(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client, found = sign_in("owner"), set()
    for name, roles in MEMBERS_ONLY.items():
        url = populated.url(name)
        if roles.get == NOBODY:
            continue
        for table in list_tables(client.get(url)):
            for key in [column.column.key for column in table.columns if column.sort_url]:
                found.add(name)
                for sort, order in ((key, "ascending"), (f"-{key}", "descending")):
                    tables = {other.id: other for other in list_tables(client.get(url, {"sort": sort}))}
                    columns = {column.column.key: column for column in tables[table.id].columns}
                    assert columns[key].sorted == order, f"{name} by {sort}"
    assert found >= SORTED
