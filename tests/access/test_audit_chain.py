"""The chain of the trail: every kind of tampering shows, and what was written rightly never does."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from time_machine import TimeMachineFixture

from console.access.audit import Origin, close_record, open_record, recorded, seals
from console.access.encryption import Undecryptable
from console.access.models import AuditChain, AuditRecord, Team
from tests.conftest import Organization

DONE = AuditRecord.Outcome.DONE


def act(team: Team | None, target: str, *, close: bool = True, **fields: object) -> AuditRecord:
    record = open_record(
        operation="UpdateProduct",
        actor=None,
        actor_label="operator@acme.test",
        team=team,
        origin=Origin(ip="::ffff:192.0.2.7", user_agent="Browser", token="nightly (fd_ab…)", job_id=7),
        target=target,
        parameters={"ProductName": target, "Props": {"Value": 1e2}, "Count": 3},
        before={"ProductName": "Zähler"},
        **fields,  # type: ignore[arg-type]
    )
    if close:
        close_record(record, DONE, message="ok")
    return record


def audit(*args: str) -> tuple[str, str, bool]:
    """What `manage.py audit` wrote to its outputs, and whether it ended well."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("audit", *args, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), err.getvalue() + str(error), False
    return out.getvalue(), err.getvalue(), True


def run(sql: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.fixture
def trail(org: Organization) -> list[AuditRecord]:
    """Five records, links 1 to 10."""
    return [act(org.team, f"Meter_{n}") for n in range(5)]


def problems() -> str:
    _out, err, well = audit("verify", "--team", "acme")
    assert not well
    return err


def test_a_chain_under_a_key_that_somebody_knows_does_not_verify(
    trail: list[AuditRecord], org: Organization
) -> None:
    """Who has the database and may add a connection has an encrypted text that they know, and can seal anything with it."""
    known = "a text that I typed as the secret of a connection"
    org.connection.access_key_secret = known
    org.connection.save()

    def mac(*parts: object) -> str:
        return hmac.new(known.encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()

    trail[0].delete()
    state, number = "", 0
    for record in AuditRecord.objects.filter(team=org.team).order_by("opened_number"):
        record.opened_number, record.closed_number = number + 1, number + 2
        record.opened_seal = mac("link", number + 1, state, seals.opening(vars(record)))
        state = mac("state", number + 1, record.opened_seal)
        record.closed_seal = mac("link", number + 2, state, seals.closing(vars(record)))
        state, number = mac("state", number + 2, record.closed_seal), number + 2
        AuditRecord.objects.filter(pk=record.pk).update(
            opened_number=record.opened_number,
            opened_seal=record.opened_seal,
            closed_number=record.closed_number,
            closed_seal=record.closed_seal,
        )
    AuditChain.objects.filter(team=org.team).update(length=number, state=state)
    run(
        "UPDATE access_auditchain SET key = (SELECT access_key_secret FROM connections_connection WHERE id = %s)"
        " WHERE team_id = %s",
        org.connection.pk,
        org.team.pk,
    )
    assert "was not made for a chain" in problems()
    with pytest.raises(Undecryptable):
        act(org.team, "what cannot be sealed is not done")


def test_an_untouched_trail_verifies(trail: list[AuditRecord], org: Organization) -> None:
    act(org.team, "never closed", close=False)
    act(org.other_team, "theirs")
    act(None, "nobody's")
    with (
        pytest.raises(ZeroDivisionError),
        recorded(operation="x", actor=None, team=org.team, origin=Origin()),
    ):
        raise ZeroDivisionError
    out, err, well = audit("verify")
    assert (err, well) == ("", True)
    assert "links 1 to 13 fit" in out
    assert out.count("fit") == 3


def test_a_record_is_closed_once_and_the_second_close_is_no_link(
    trail: list[AuditRecord], org: Organization
) -> None:
    close_record(trail[0], AuditRecord.Outcome.FAILED, message="again")
    found = AuditRecord.objects.get(pk=trail[0].pk)
    assert (found.outcome, found.message) == ("done", "ok")
    assert AuditChain.objects.get(team=org.team).length == 10
    assert audit("verify")[2]


ALTERED = [
    "actor_label = 'x'",
    "target = 'x'",
    "operation = 'x'",
    "parameters = '{}'",
    "before = NULL",
    "outcome = 'failed'",
    "message = ''",
    "ip = '192.0.2.1'",
    "job = 8",
    "token = ''",
    "connection = 'x'",
]


@pytest.mark.parametrize("change", ALTERED)
def test_an_altered_record_is_named(trail: list[AuditRecord], change: str) -> None:
    run(f"UPDATE access_auditrecord SET {change} WHERE id = %s", trail[2].pk)
    text = problems()
    assert f"altered: record {trail[2].pk} " in text
    assert text.count("altered:") == 1


def test_a_time_moved_by_a_second_shows(trail: list[AuditRecord]) -> None:
    AuditRecord.objects.filter(pk=trail[2].pk).update(at=trail[2].at + timedelta(seconds=1))
    assert f"altered: record {trail[2].pk} " in problems()


def test_an_altered_seal_is_named_and_the_next_record_is_not(trail: list[AuditRecord]) -> None:
    run("UPDATE access_auditrecord SET closed_seal = %s WHERE id = %s", "0" * 64, trail[2].pk)
    text = problems()
    assert f"altered: record {trail[2].pk} " in text
    assert text.count("altered:") == 1


def test_a_removed_record_leaves_a_gap(trail: list[AuditRecord]) -> None:
    run("DELETE FROM access_auditrecord WHERE id = %s", trail[2].pk)
    text = problems()
    assert "removed: links 5 to 6 are gone" in text
    assert "altered" not in text


def test_a_removed_end_shows_whether_or_not_the_head_says_so(trail: list[AuditRecord]) -> None:
    run("DELETE FROM access_auditrecord WHERE id >= %s", trail[3].pk)
    assert "truncated: links 7 to 10 at the end are gone" in problems()
    run("UPDATE access_auditchain SET length = 6, state = %s", trail[2].closed_seal)
    assert "head: the head does not follow from link 6" in problems()


def test_a_removed_beginning_shows_whether_or_not_the_base_says_so(trail: list[AuditRecord]) -> None:
    run("DELETE FROM access_auditrecord WHERE id <= %s", trail[1].pk)
    assert "removed: links 1 to 4 are gone" in problems()
    run("UPDATE access_auditchain SET base_length = 4, base_state = %s", trail[1].closed_seal)
    assert f"altered: record {trail[2].pk} " in problems()


def test_a_head_set_back_leaves_records_past_it(trail: list[AuditRecord]) -> None:
    run("UPDATE access_auditchain SET length = 8")
    assert f"head: record {trail[4].pk} " in problems()


def test_a_record_put_in_carries_no_seal(trail: list[AuditRecord], org: Organization) -> None:
    alien = AuditRecord.objects.create(team=org.team, operation="DeleteProduct", actor_label="x")
    assert f"inserted: record {alien.pk} " in problems()


def test_a_record_put_in_at_the_end_shows(trail: list[AuditRecord], org: Organization) -> None:
    chain = AuditChain.objects.get(team=org.team)
    alien = AuditRecord.objects.create(
        team=org.team, operation="x", actor_label="x", chain=chain, opened_number=11, opened_seal="1" * 64
    )
    assert f"head: record {alien.pk} " in problems()
    run("UPDATE access_auditchain SET length = 11")
    assert f"altered: record {alien.pk} " in problems()


@pytest.mark.parametrize("with_seals", [True, False])
@pytest.mark.parametrize(("first", "second"), [(1, 3), (1, 2)])
def test_records_that_changed_places_are_said_to_be_reordered(
    trail: list[AuditRecord], with_seals: bool, first: int, second: int
) -> None:
    columns = ["opened_number", "opened_seal"] if with_seals else ["opened_number"]
    one, other = trail[first], trail[second]
    AuditRecord.objects.filter(pk=one.pk).update(opened_number=None)
    AuditRecord.objects.filter(pk=other.pk).update(**{name: getattr(one, name) for name in columns})
    AuditRecord.objects.filter(pk=one.pk).update(**{name: getattr(other, name) for name in columns})
    text = problems()
    assert f"reordered: record {one.pk} " in text
    assert f"reordered: record {other.pk} " in text


@pytest.mark.parametrize("to", ["NULL", "(SELECT id FROM access_team WHERE slug = 'globex')"])
def test_a_record_hidden_from_its_team_shows(trail: list[AuditRecord], to: str) -> None:
    run(f"UPDATE access_auditrecord SET team_id = {to} WHERE id = %s", trail[2].pk)
    assert "was moved out of its team" in problems()


def test_an_outcome_given_or_taken_without_a_link_shows(trail: list[AuditRecord], org: Organization) -> None:
    still_open = act(org.team, "open", close=False)
    run("UPDATE access_auditrecord SET outcome = 'done' WHERE id = %s", still_open.pk)
    run(
        "UPDATE access_auditrecord SET outcome = 'open', closed_at = NULL, closed_number = NULL, closed_seal = '',"
        " message = '' WHERE id = %s",
        trail[1].pk,
    )
    text = problems()
    assert f"record {still_open.pk} (UpdateProduct by operator@acme.test" in text
    assert "removed: link 4 is gone" in text


def test_a_record_without_its_numbers_shows(trail: list[AuditRecord]) -> None:
    run("UPDATE access_auditrecord SET opened_number = NULL, closed_number = NULL WHERE id = %s", trail[4].pk)
    text = problems()
    assert f"inserted: record {trail[4].pk} " in text
    assert "truncated" in text


def test_an_unreadable_key_is_said_and_stops_what_would_go_unrecorded(
    trail: list[AuditRecord], org: Organization
) -> None:
    run("UPDATE access_auditchain SET key = 'nonsense'")
    assert "key: A stored secret cannot be read" in problems()
    done = []
    with pytest.raises(Undecryptable), recorded(operation="x", actor=None, team=org.team, origin=Origin()):
        done.append("the act")
    assert done == []


def test_verifying_since_a_day_reads_no_more_than_that(trail: list[AuditRecord]) -> None:
    old = timezone.now() - timedelta(days=9)
    AuditRecord.objects.filter(pk=trail[0].pk).update(at=old)
    assert audit("verify", "--since", f"{timezone.now() - timedelta(days=1):%Y-%m-%d}")[2]
    assert not audit("verify", "--since", "2020-01-01")[2]
    run("UPDATE access_auditrecord SET target = 'x' WHERE id = %s", trail[4].pk)
    assert not audit("verify", "--since", f"{timezone.now() - timedelta(days=1):%Y-%m-%d}")[2]


def test_a_chain_longer_than_one_reading_verifies_and_names_what_was_altered(org: Organization) -> None:
    records = [act(org.team, f"Meter_{n}") for n in range(600)]
    assert audit("verify")[2]
    run("UPDATE access_auditrecord SET target = 'x' WHERE id = %s", records[550].pk)
    assert f"altered: record {records[550].pk} " in problems()


def test_deleting_a_team_or_a_person_leaves_its_trail_verifiable(
    trail: list[AuditRecord], org: Organization
) -> None:
    with recorded(operation="x", actor=org.members["owner"], team=org.team, origin=Origin()):
        pass
    org.members["owner"].delete()
    org.connection.delete()
    org.team.delete()
    assert audit("verify")[2]
    again = Team.objects.create(slug="acme", name="Another")
    act(again, "first of another team of the same short name")
    assert audit("verify")[2]


def test_a_record_within_a_transaction_is_refused(org: Organization) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        act(org.team, "would be rolled back with the act")


@pytest.mark.django_db(transaction=True)
def test_threads_that_write_at_once_make_one_chain(org: Organization) -> None:
    def write(n: int) -> None:
        try:
            for m in range(15):
                act(org.team, f"Meter_{n}_{m}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert AuditChain.objects.get(team=org.team).length == 6 * 15 * 2
    assert audit("verify")[2]


WRITER = """
from console.access.audit import Origin, recorded
from console.access.models import Team
team, _new = Team.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
for n in range(25):
    with recorded(operation="x", actor=None, team=team, origin=Origin(), target=str(n)):
        pass
"""


@pytest.mark.processes
@pytest.mark.skipif(connection.vendor != "sqlite", reason="an SQLite file of its own")
def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "FLEETDESK_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }

    def manage(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *args]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=True
        )

    manage("migrate")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _n: manage("shell", "-c", WRITER), range(3)))
    assert "links 1 to 150 fit" in manage("audit", "verify").stdout


# -- letting go --------------------------------------------------------------------------------------------------------


@pytest.fixture
def aged(org: Organization, time_machine: TimeMachineFixture) -> list[AuditRecord]:
    """A record a day for ten days, today's the last; the second never ended, the third only when the fifth had begun."""
    now, records = timezone.now(), []
    for days in range(9, -1, -1):
        time_machine.move_to(now - timedelta(days=days), tick=True)
        records.append(act(org.team, f"{days} days ago", close=days not in (7, 8)))
        if days == 5:
            close_record(records[2], DONE)
    return records


def keep(org: Organization, days: int) -> None:
    org.team.audit_keep_days = days
    org.team.save()


def test_pruning_deletes_what_is_too_old_and_the_rest_verifies(
    aged: list[AuditRecord], org: Organization
) -> None:
    keep(org, 4)
    out, _err, well = audit("prune")
    assert well
    left = list(AuditRecord.objects.order_by("opened_number").values_list("target", flat=True))
    assert left == ["3 days ago", "2 days ago", "1 days ago", "0 days ago", AuditChain.objects.get().name]
    assert "6 records deleted" in out
    assert audit("verify")[2]
    pruning = AuditRecord.objects.get(operation="audit.prune")
    assert (pruning.outcome, pruning.message, pruning.parameters["days"]) == ("done", "6 records", 4)
    assert "0 records deleted" in audit("prune")[0]
    act(org.team, "afterwards")
    assert audit("verify")[2]


def test_a_record_that_ended_late_keeps_what_came_after_it(
    aged: list[AuditRecord], org: Organization
) -> None:
    keep(org, 6)  # cuts between the opening and the closing of the third
    audit("prune")
    targets = AuditRecord.objects.order_by("opened_number").values_list("target", flat=True)
    assert next(iter(targets)) == "7 days ago"
    assert audit("verify")[2]


def test_without_a_limit_nothing_is_deleted(aged: list[AuditRecord], org: Organization) -> None:
    audit("prune")
    assert AuditRecord.objects.count() == 10


def test_a_beginning_that_does_not_verify_is_not_pruned(aged: list[AuditRecord], org: Organization) -> None:
    keep(org, 4)
    run("UPDATE access_auditrecord SET target = 'x' WHERE id = %s", aged[1].pk)
    _out, err, well = audit("prune")
    assert not well
    assert "does not verify" in err
    assert AuditRecord.objects.filter(pk__in=[record.pk for record in aged]).count() == 10
    assert AuditRecord.objects.get(operation="audit.prune").outcome == "failed"


def test_what_was_pruned_by_hand_without_the_key_shows(aged: list[AuditRecord], org: Organization) -> None:
    keep(org, 4)
    audit("prune")
    AuditRecord.objects.filter(target="3 days ago").delete()
    assert "removed" in problems()


# -- an export against the chain ---------------------------------------------------------------------------------------


@pytest.fixture
def exported(trail: list[AuditRecord], org: Organization, tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_text(audit("export", "--team", "acme")[0], encoding="utf-8")
    return path


def test_an_export_agrees_with_the_trail_also_later(exported: Path, org: Organization) -> None:
    act(org.team, "later")
    out, err, well = audit("verify", "--file", str(exported))
    assert (err, well) == ("", True)
    assert "6 records are in the trail" in out  # the export is one of them
    assert AuditRecord.objects.get(operation="audit.export").outcome == "done"


def test_an_export_shows_a_trail_that_was_set_back_as_a_whole(
    exported: Path, trail: list[AuditRecord], org: Organization
) -> None:
    """Who restored an older head with its records fools `verify`, not the export."""
    AuditChain.objects.get(team=org.team)
    AuditRecord.objects.filter(chain__team=org.team).delete()
    AuditChain.objects.filter(team=org.team).delete()
    assert audit("verify")[2]
    _out, err, well = audit("verify", "--file", str(exported))
    assert not well
    assert err.count("removed: line") == 6


def test_an_export_shows_what_was_altered_here_or_in_the_file(
    exported: Path, trail: list[AuditRecord], org: Organization
) -> None:
    text = exported.read_text(encoding="utf-8")
    run("UPDATE access_auditrecord SET target = 'x' WHERE id = %s", trail[1].pk)
    assert "altered: line 2" in audit("verify", "--file", str(exported))[1]
    exported.write_text(text.replace("Meter_3", "Meter_9") + "{}\n\nnonsense\n", encoding="utf-8")
    err = audit("verify", "--file", str(exported))[1]
    assert "altered: line 4" in err
    assert err.count("is no record of an export") == 2


def test_a_team_that_is_not_there_is_an_error(org: Organization) -> None:
    for act_of in ("verify", "prune", "export"):
        assert not audit(act_of, "--team", "nobody")[2]


def test_records_from_before_there_were_chains_are_sealed_by_the_migration(org: Organization) -> None:
    for n in range(3):
        for team in (org.team, org.other_team, None):
            AuditRecord.objects.create(
                team=team,
                operation="X",
                actor_label="x",
                target=str(n),
                outcome="done" if n else "open",
                closed_at=timezone.now() if n else None,
            )
    assert not audit("verify")[2]
    migration = import_module("console.access.migrations.0003_seal_the_trail")
    migration.seal_what_is_there(apps, SimpleNamespace(connection=connection))
    out, err, well = audit("verify")
    assert (err, well, out.count("links 1 to 5 fit")) == ("", True, 3)
    act(org.team, "afterwards")
    act(None, "afterwards")
    assert audit("verify")[2]
