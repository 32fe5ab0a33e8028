"""What was recorded before there were chains becomes links of them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.db import migrations

_AT_ONCE = 500


def seal_what_is_there(apps: Any, schema_editor: Any) -> None:
    """Seal each team's records in the order of time, opening and closing next to each other."""
    from console.access.audit import seals

    database = schema_editor.connection.alias
    chains = apps.get_model("access", "AuditChain").objects.using(database)
    records = apps.get_model("access", "AuditRecord").objects.using(database).filter(chain=None)
    teams = records.order_by("team").values_list("team", "team__slug").distinct()
    for team, slug in list(teams):
        chain = chains.create(
            team_id=team, name="-" if team is None else f"{slug[:20]}-{team}", key=seals.new_key()
        )
        key, number, state = chain.key, 0, seals.START
        remaining = records.filter(team=team).order_by("at", "pk").iterator(chunk_size=_AT_ONCE)
        while some := list(islice(remaining, _AT_ONCE)):
            for record in some:
                record.chain_id = chain.pk
                number = record.opened_number = number + 1
                record.opened_seal = seals.seal(key, number, state, seals.opening(vars(record)))
                state = seals.state_after(key, number, record.opened_seal)
                if record.outcome == "open":
                    continue
                number = record.closed_number = number + 1
                record.closed_seal = seals.seal(key, number, state, seals.closing(vars(record)))
                state = seals.state_after(key, number, record.closed_seal)
            records.model.objects.using(database).bulk_update(
                some, ["chain", "opened_number", "opened_seal", "closed_number", "closed_seal"]
            )
        chains.filter(pk=chain.pk).update(length=number, state=state)


class Migration(migrations.Migration):
    dependencies = [("access", "0002_grants_tokens_and_seals")]

    operations = [migrations.RunPython(seal_what_is_there, migrations.RunPython.noop, elidable=True)]
