"""The hash chain of the audit trail: every kind of manipulation is reported, and correct records never are."""

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
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from time_machine import TimeMachineFixture

from console.accounts.encryption import Undecryptable
from console.accounts.models import Team
from console.audit import hmacs
from console.audit.models import AuditChain, AuditRecord
from console.audit.records import Origin, close_record, open_record, record_action
from tests.conftest import Organization

DONE = AuditRecord.Outcome.DONE


def write_record(team: Team | None, target: str, *, close: bool = True, **fields: object) -> AuditRecord:
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


def run_audit(*args: str) -> tuple[str, str, bool]:
    """Run `manage.py audit`. Returns its standard output and error output, and whether it succeeded."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("audit", *args, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), err.getvalue() + str(error), False
    return out.getvalue(), err.getvalue(), True


def restore(chain: AuditChain) -> None:
    """Restore the row of a chain, and delete the records since: what a writer of the database can do without the key."""
    AuditRecord.objects.filter(chain=chain, opened_number__gt=chain.length).delete()
    columns = {name: getattr(chain, name) for name in ("length", "state", "row_hmac")}
    AuditChain.objects.filter(pk=chain.pk).update(**columns)


def execute_sql(sql: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.fixture
def earlier(records: list[AuditRecord], org: Organization) -> AuditChain:
    """The chain of the team as it was after `records`."""
    return AuditChain.objects.get(team=org.team)


@pytest.fixture
def records(org: Organization) -> list[AuditRecord]:
    """Five records: entries 1 to 10."""
    return [write_record(org.team, f"Meter_{n}") for n in range(5)]


def find_problems() -> str:
    """Verify the chain of the team, which must fail. Returns the reported problems."""
    _out, err, succeeded = run_audit("verify", "--team", "acme")
    assert not succeeded
    return err


def test_a_chain_with_a_replaced_key_does_not_verify(records: list[AuditRecord], org: Organization) -> None:
    """A user with database access who can add a connection knows an encrypted text, and could compute HMACs with it."""
    known_secret = "a text entered as the secret of a connection"
    org.connection.access_key_secret = known_secret
    org.connection.save()

    def compute_hmac(*parts: object) -> str:
        return hmac.new(known_secret.encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()

    records[0].delete()
    state, number = "", 0
    for record in AuditRecord.objects.filter(team=org.team).order_by("opened_number"):
        record.opened_number, record.closed_number = number + 1, number + 2
        record.opened_hmac = compute_hmac("link", number + 1, state, hmacs.opening_content(vars(record)))
        state = compute_hmac("state", number + 1, record.opened_hmac)
        record.closed_hmac = compute_hmac("link", number + 2, state, hmacs.closing_content(vars(record)))
        state, number = compute_hmac("state", number + 2, record.closed_hmac), number + 2
        AuditRecord.objects.filter(pk=record.pk).update(
            opened_number=record.opened_number,
            opened_hmac=record.opened_hmac,
            closed_number=record.closed_number,
            closed_hmac=record.closed_hmac,
        )
    AuditChain.objects.filter(team=org.team).update(length=number, state=state)
    execute_sql(
        "UPDATE audit_auditchain SET key = (SELECT access_key_secret FROM connections_connection WHERE id = %s)"
        " WHERE team_id = %s",
        org.connection.pk,
        org.team.pk,
    )
    assert "was not created for a chain" in find_problems()
    with pytest.raises(Undecryptable):
        write_record(org.team, "an action that cannot be recorded is not carried out")


def test_an_unchanged_audit_trail_verifies(records: list[AuditRecord], org: Organization) -> None:
    write_record(org.team, "never closed", close=False)
    write_record(org.other_team, "theirs")
    write_record(None, "no team")
    with (
        pytest.raises(ZeroDivisionError),
        record_action(operation="x", actor=None, team=org.team, origin=Origin()),
    ):
        raise ZeroDivisionError
    out, err, succeeded = run_audit("verify")
    assert (err, succeeded) == ("", True)
    assert "entries 1 to 13 verified" in out
    assert out.count("verified") == 3


def test_a_closed_record_cannot_be_closed_again(records: list[AuditRecord], org: Organization) -> None:
    close_record(records[0], AuditRecord.Outcome.FAILED, message="again")
    record = AuditRecord.objects.get(pk=records[0].pk)
    assert (record.outcome, record.message) == ("done", "ok")
    assert AuditChain.objects.get(team=org.team).length == 10
    assert run_audit("verify")[2]


CHANGES = [
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


@pytest.mark.parametrize("change", CHANGES)
def test_an_altered_record_is_reported(records: list[AuditRecord], change: str) -> None:
    execute_sql(f"UPDATE audit_auditrecord SET {change} WHERE id = %s", records[2].pk)
    text = find_problems()
    assert f"altered: record {records[2].pk} " in text
    assert text.count("altered:") == 1


def test_a_time_changed_by_a_second_is_reported(records: list[AuditRecord]) -> None:
    AuditRecord.objects.filter(pk=records[2].pk).update(at=records[2].at + timedelta(seconds=1))
    assert f"altered: record {records[2].pk} " in find_problems()


def test_an_altered_hmac_is_reported_and_the_next_record_is_not(records: list[AuditRecord]) -> None:
    execute_sql("UPDATE audit_auditrecord SET closed_hmac = %s WHERE id = %s", "0" * 64, records[2].pk)
    text = find_problems()
    assert f"altered: record {records[2].pk} " in text
    assert text.count("altered:") == 1


def test_a_removed_record_is_reported_as_a_gap(records: list[AuditRecord]) -> None:
    execute_sql("DELETE FROM audit_auditrecord WHERE id = %s", records[2].pk)
    text = find_problems()
    assert "removed: entries 5 to 6 are missing" in text
    assert "altered" not in text


def test_a_removed_end_is_reported_whether_or_not_the_head_was_changed(records: list[AuditRecord]) -> None:
    execute_sql("DELETE FROM audit_auditrecord WHERE id >= %s", records[3].pk)
    assert "truncated: entries 7 to 10 at the end are missing" in find_problems()
    execute_sql("UPDATE audit_auditchain SET length = 6, state = %s", records[2].closed_hmac)
    assert "head: the head does not follow from entry 6" in find_problems()


def test_a_removed_beginning_is_reported_whether_or_not_the_base_was_changed(
    records: list[AuditRecord],
) -> None:
    execute_sql("DELETE FROM audit_auditrecord WHERE id <= %s", records[1].pk)
    assert "removed: entries 1 to 4 are missing" in find_problems()
    execute_sql("UPDATE audit_auditchain SET base_length = 4, base_state = %s", records[1].closed_hmac)
    assert f"altered: record {records[2].pk} " in find_problems()


def test_records_after_a_head_that_was_set_back_are_reported(records: list[AuditRecord]) -> None:
    execute_sql("UPDATE audit_auditchain SET length = 8")
    assert f"head: record {records[4].pk} " in find_problems()


def test_an_inserted_record_outside_the_chain_is_reported(
    records: list[AuditRecord], org: Organization
) -> None:
    inserted = AuditRecord.objects.create(team=org.team, operation="DeleteProduct", actor_label="x")
    assert f"inserted: record {inserted.pk} " in find_problems()


def test_a_record_inserted_at_the_end_is_reported(records: list[AuditRecord], org: Organization) -> None:
    chain = AuditChain.objects.get(team=org.team)
    inserted = AuditRecord.objects.create(
        team=org.team, operation="x", actor_label="x", chain=chain, opened_number=11, opened_hmac="1" * 64
    )
    assert f"head: record {inserted.pk} " in find_problems()
    execute_sql("UPDATE audit_auditchain SET length = 11")
    assert f"altered: record {inserted.pk} " in find_problems()


EMPTIED = "UPDATE audit_auditchain SET length = 0, base_length = 0, {} WHERE team_id = %s"


@pytest.mark.parametrize("state", ["state = '', base_state = ''", "state = base_state"])
def test_an_emptied_chain_is_reported(records: list[AuditRecord], org: Organization, state: str) -> None:
    execute_sql("DELETE FROM audit_auditrecord WHERE team_id = %s", org.team.pk)
    execute_sql(EMPTIED.format(state), org.team.pk)
    assert (
        f"acme-{org.team.pk}: head: the first and last entry stored with the chain were changed"
        in find_problems()
    )


def test_a_deleted_chain_is_reported_also_after_a_new_one_was_begun(
    records: list[AuditRecord], org: Organization
) -> None:
    execute_sql("DELETE FROM audit_auditrecord WHERE team_id = %s", org.team.pk)
    execute_sql("DELETE FROM audit_auditchain WHERE team_id = %s", org.team.pk)
    text = find_problems()
    assert "removed: the team acme has no chain" in text
    assert "removed: chain 1 of 2 does not exist" in text
    write_record(org.team, "the console continues")
    assert "removed: chain 1 of 3 does not exist" in find_problems()


def test_a_deleted_chain_of_a_deleted_team_is_reported(records: list[AuditRecord], org: Organization) -> None:
    org.connection.delete()
    org.team.delete()
    assert run_audit("verify")[2]
    execute_sql("DELETE FROM audit_auditrecord WHERE team_id IS NULL")
    execute_sql("DELETE FROM audit_auditchain WHERE team_id IS NULL AND number > 0")
    _out, err, succeeded = run_audit("verify")
    assert not succeeded
    assert "removed: chain 1 of 2 does not exist" in err


def test_a_trail_of_which_nothing_is_left_is_reported(records: list[AuditRecord], org: Organization) -> None:
    execute_sql("DELETE FROM audit_auditrecord")
    execute_sql("DELETE FROM audit_auditchain")
    assert "removed: the team globex has no chain" in find_problems()


def test_a_count_of_chains_that_was_changed_is_reported(
    records: list[AuditRecord], org: Organization
) -> None:
    execute_sql("UPDATE audit_auditchain SET chain_count = 1 WHERE number = 0")
    _out, err, succeeded = run_audit("verify")
    assert not succeeded
    assert "-: head: " in err
    assert "head: chain 2 was created after chain 1" in err


def test_the_row_of_another_chain_does_not_replace_an_emptied_one(
    records: list[AuditRecord], org: Organization
) -> None:
    """A team with a short trail could lend its row, with its key."""
    AuditRecord.objects.filter(team=org.team).delete()
    other = AuditChain.objects.get(team=org.other_team)
    columns = ("key", "length", "state", "base_length", "base_state", "row_hmac")
    execute_sql(
        "UPDATE audit_auditchain SET ({0}) = (SELECT {0} FROM audit_auditchain WHERE id = %s) WHERE team_id = %s".format(
            ", ".join(columns)
        ),
        other.pk,
        org.team.pk,
    )
    assert "head: the first and last entry" in find_problems()


def test_a_chain_moved_out_of_its_team_is_reported(records: list[AuditRecord], org: Organization) -> None:
    execute_sql("UPDATE audit_auditrecord SET team_id = NULL WHERE team_id = %s", org.team.pk)
    execute_sql("UPDATE audit_auditchain SET team_id = NULL WHERE team_id = %s", org.team.pk)
    assert "altered: the chain was moved out of its team" in run_audit("verify")[1]


@pytest.mark.parametrize("with_hmacs", [True, False])
@pytest.mark.parametrize(("first", "second"), [(1, 3), (1, 2)])
def test_swapped_records_are_reported_as_reordered(
    records: list[AuditRecord], with_hmacs: bool, first: int, second: int
) -> None:
    columns = ["opened_number", "opened_hmac"] if with_hmacs else ["opened_number"]
    one, other = records[first], records[second]
    AuditRecord.objects.filter(pk=one.pk).update(opened_number=None)
    AuditRecord.objects.filter(pk=other.pk).update(**{name: getattr(one, name) for name in columns})
    AuditRecord.objects.filter(pk=one.pk).update(**{name: getattr(other, name) for name in columns})
    text = find_problems()
    assert f"reordered: record {one.pk} " in text
    assert f"reordered: record {other.pk} " in text


@pytest.mark.parametrize("to", ["NULL", "(SELECT id FROM accounts_team WHERE slug = 'globex')"])
def test_a_record_moved_out_of_its_team_is_reported(records: list[AuditRecord], to: str) -> None:
    execute_sql(f"UPDATE audit_auditrecord SET team_id = {to} WHERE id = %s", records[2].pk)
    assert "was moved out of its team" in find_problems()


def test_an_outcome_added_or_removed_outside_the_chain_is_reported(
    records: list[AuditRecord], org: Organization
) -> None:
    still_open = write_record(org.team, "open", close=False)
    execute_sql("UPDATE audit_auditrecord SET outcome = 'done' WHERE id = %s", still_open.pk)
    execute_sql(
        "UPDATE audit_auditrecord SET outcome = 'open', closed_at = NULL, closed_number = NULL, closed_hmac = '',"
        " message = '' WHERE id = %s",
        records[1].pk,
    )
    text = find_problems()
    assert f"record {still_open.pk} (UpdateProduct by operator@acme.test" in text
    assert "removed: entry 4 is missing" in text


def test_a_record_without_its_numbers_is_reported(records: list[AuditRecord]) -> None:
    execute_sql(
        "UPDATE audit_auditrecord SET opened_number = NULL, closed_number = NULL WHERE id = %s",
        records[4].pk,
    )
    text = find_problems()
    assert f"inserted: record {records[4].pk} " in text
    assert "truncated" in text


def test_an_unreadable_key_is_reported_and_prevents_unrecorded_actions(
    records: list[AuditRecord], org: Organization
) -> None:
    execute_sql("UPDATE audit_auditchain SET key = 'nonsense'")
    assert "key: A stored secret cannot be decrypted" in find_problems()
    actions = []
    with (
        pytest.raises(Undecryptable),
        record_action(operation="x", actor=None, team=org.team, origin=Origin()),
    ):
        actions.append("the action")
    assert actions == []


def test_verifying_since_a_date_ignores_older_records(records: list[AuditRecord]) -> None:
    old = timezone.now() - timedelta(days=9)
    AuditRecord.objects.filter(pk=records[0].pk).update(at=old)
    assert run_audit("verify", "--since", f"{timezone.now() - timedelta(days=1):%Y-%m-%d}")[2]
    assert not run_audit("verify", "--since", "2020-01-01")[2]
    execute_sql("UPDATE audit_auditrecord SET target = 'x' WHERE id = %s", records[4].pk)
    assert not run_audit("verify", "--since", f"{timezone.now() - timedelta(days=1):%Y-%m-%d}")[2]


def test_a_chain_longer_than_one_batch_verifies_and_an_altered_record_is_reported(org: Organization) -> None:
    records = [write_record(org.team, f"Meter_{n}") for n in range(600)]
    assert run_audit("verify")[2]
    execute_sql("UPDATE audit_auditrecord SET target = 'x' WHERE id = %s", records[550].pk)
    assert f"altered: record {records[550].pk} " in find_problems()


def test_the_audit_trail_of_a_deleted_team_or_user_still_verifies(
    records: list[AuditRecord], org: Organization
) -> None:
    with record_action(operation="x", actor=org.members["owner"], team=org.team, origin=Origin()):
        pass
    org.members["owner"].delete()
    org.connection.delete()
    org.team.delete()
    assert run_audit("verify")[2]
    new_team = Team.objects.create(slug="acme", name="Another")
    write_record(new_team, "first record of another team with the same short name")
    assert run_audit("verify")[2]


def test_a_record_within_a_transaction_is_refused(org: Organization) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        write_record(org.team, "would be rolled back with the action")


@pytest.mark.django_db(transaction=True)
def test_threads_that_write_at_the_same_time_produce_one_chain(org: Organization) -> None:
    def write_records(n: int) -> None:
        try:
            for m in range(15):
                write_record(org.team, f"Meter_{n}_{m}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write_records, range(6)))
    assert AuditChain.objects.get(team=org.team).length == 6 * 15 * 2
    assert run_audit("verify")[2]


@pytest.mark.django_db(transaction=True)
def test_threads_that_begin_chains_at_the_same_time_number_them_without_a_gap(org: Organization) -> None:
    teams = [Team.objects.create(slug=f"team-{n}", name="New") for n in range(3)]

    def begin(n: int) -> None:
        try:
            write_record(teams[n % 3] if n % 4 else None, f"first {n}")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(begin, range(12)))
    numbers = AuditChain.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [0, 1, 2, 3, 4, 5]
    assert run_audit("verify")[2]


WRITER = """
from console.accounts.models import Team
from console.audit.records import Origin, record_action
team, _created = Team.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
for n in range(25):
    with record_action(operation="x", actor=None, team=team, origin=Origin(), target=str(n)):
        pass
"""


@pytest.mark.processes
@pytest.mark.skipif(connection.vendor != "sqlite", reason="uses a separate SQLite file")
def test_processes_that_write_at_the_same_time_produce_one_chain(tmp_path: Path) -> None:
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
    assert "entries 1 to 150 verified" in manage("audit", "verify").stdout


# -- retention ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def old_records(org: Organization, time_machine: TimeMachineFixture) -> list[AuditRecord]:
    """A record per day for ten days, up to today. The second is never closed, the third is closed after the fifth is opened."""
    now, written = timezone.now(), []
    for days in range(9, -1, -1):
        time_machine.move_to(now - timedelta(days=days), tick=True)
        written.append(write_record(org.team, f"{days} days ago", close=days not in (7, 8)))
        if days == 5:
            close_record(written[2], DONE)
    return written


def set_retention(org: Organization, days: int) -> None:
    org.team.audit_keep_days = days
    org.team.save()


def test_pruning_deletes_old_records_and_the_rest_verifies(
    old_records: list[AuditRecord], org: Organization
) -> None:
    set_retention(org, 4)
    out, _err, succeeded = run_audit("prune")
    assert succeeded
    targets = list(AuditRecord.objects.order_by("opened_number").values_list("target", flat=True))
    assert targets == ["3 days ago", "2 days ago", "1 days ago", "0 days ago", f"acme-{org.team.pk}"]
    assert "6 records deleted" in out
    assert run_audit("verify")[2]
    pruning = AuditRecord.objects.get(operation="audit.prune")
    assert (pruning.outcome, pruning.message, pruning.parameters["days"]) == ("done", "6 records", 4)
    assert "0 records deleted" in run_audit("prune")[0]
    write_record(org.team, "afterwards")
    assert run_audit("verify")[2]


def test_a_record_that_was_closed_late_prevents_pruning_beyond_it(
    old_records: list[AuditRecord], org: Organization
) -> None:
    set_retention(org, 6)  # the limit is between the opening and the closing of the third
    run_audit("prune")
    targets = AuditRecord.objects.order_by("opened_number").values_list("target", flat=True)
    assert next(iter(targets)) == "7 days ago"
    assert run_audit("verify")[2]


def test_without_a_retention_limit_nothing_is_pruned(
    old_records: list[AuditRecord], org: Organization
) -> None:
    run_audit("prune")
    assert AuditRecord.objects.count() == 10


def test_a_beginning_that_does_not_verify_is_not_pruned(
    old_records: list[AuditRecord], org: Organization
) -> None:
    set_retention(org, 4)
    execute_sql("UPDATE audit_auditrecord SET target = 'x' WHERE id = %s", old_records[1].pk)
    _out, err, succeeded = run_audit("prune")
    assert not succeeded
    assert "does not verify" in err
    assert AuditRecord.objects.filter(pk__in=[record.pk for record in old_records]).count() == 10
    assert AuditRecord.objects.get(operation="audit.prune").outcome == "failed"


def test_records_deleted_manually_after_pruning_are_reported(
    old_records: list[AuditRecord], org: Organization
) -> None:
    set_retention(org, 4)
    run_audit("prune")
    AuditRecord.objects.filter(target="3 days ago").delete()
    assert "removed" in find_problems()


# -- comparing an export with the chain-----------------------------------------------------------------------------------


@pytest.fixture
def export_file(records: list[AuditRecord], org: Organization, tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_text(run_audit("export", "--team", "acme")[0], encoding="utf-8")
    return path


def test_an_export_matches_the_audit_trail_also_later(export_file: Path, org: Organization) -> None:
    write_record(org.team, "later")
    out, err, succeeded = run_audit("verify", "--file", str(export_file))
    assert (err, succeeded) == ("", True)
    assert "6 records match the audit trail" in out  # the export itself is one of them
    assert AuditRecord.objects.get(operation="audit.export").outcome == "done"


def test_an_export_reveals_an_audit_trail_that_was_set_back_completely(
    earlier: AuditChain, export_file: Path, org: Organization
) -> None:
    """A restored older head with its records passes `verify`, but not the comparison with the export."""
    restore(earlier)
    assert run_audit("verify")[2]
    _out, err, succeeded = run_audit("verify", "--file", str(export_file))
    assert not succeeded
    assert err.count("removed: line") == 1  # the export itself


def test_an_export_reveals_changes_in_the_database_and_in_the_file(
    export_file: Path, records: list[AuditRecord], org: Organization
) -> None:
    text = export_file.read_text(encoding="utf-8")
    execute_sql("UPDATE audit_auditrecord SET target = 'x' WHERE id = %s", records[1].pk)
    assert "altered: line 2" in run_audit("verify", "--file", str(export_file))[1]
    export_file.write_text(text.replace("Meter_3", "Meter_9") + "{}\n\nnonsense\n", encoding="utf-8")
    err = run_audit("verify", "--file", str(export_file))[1]
    assert "altered: line 4" in err
    assert err.count("is not a record of an export") == 2


def test_an_unknown_team_is_an_error(org: Organization) -> None:
    for action in ("verify", "prune", "export"):
        assert not run_audit(action, "--team", "nobody")[2]
