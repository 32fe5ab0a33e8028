"""Adds the records that were written before there were hash chains to the chains."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.db import migrations

_BATCH_SIZE = 500


def chain_existing_records(apps: Any, schema_editor: Any) -> None:
    """Add each team's records to its chain in the order of time, the closing directly after the opening."""
    from console.access.audit import hmacs

    database = schema_editor.connection.alias
    chains = apps.get_model("access", "AuditChain").objects.using(database)
    records = apps.get_model("access", "AuditRecord").objects.using(database).filter(chain=None)
    teams = records.order_by("team").values_list("team", "team__slug").distinct()
    for team, slug in list(teams):
        chain = chains.create(
            team_id=team, name="-" if team is None else f"{slug[:20]}-{team}", key=hmacs.new_key()
        )
        key, number, state = chain.key, 0, hmacs.INITIAL_STATE
        remaining = records.filter(team=team).order_by("at", "pk").iterator(chunk_size=_BATCH_SIZE)
        while batch := list(islice(remaining, _BATCH_SIZE)):
            for record in batch:
                record.chain_id = chain.pk
                number = record.opened_number = number + 1
                record.opened_hmac = hmacs.entry_hmac(key, number, state, hmacs.opening_content(vars(record)))
                state = hmacs.state_after(key, number, record.opened_hmac)
                if record.outcome == "open":
                    continue
                number = record.closed_number = number + 1
                record.closed_hmac = hmacs.entry_hmac(key, number, state, hmacs.closing_content(vars(record)))
                state = hmacs.state_after(key, number, record.closed_hmac)
            records.model.objects.using(database).bulk_update(
                batch, ["chain", "opened_number", "opened_hmac", "closed_number", "closed_hmac"]
            )
        chains.filter(pk=chain.pk).update(length=number, state=state)


class Migration(migrations.Migration):
    dependencies = [("access", "0002_grants_tokens_and_audit_chains")]

    operations = [migrations.RunPython(chain_existing_records, migrations.RunPython.noop, elidable=True)]
