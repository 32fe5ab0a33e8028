"""`manage.py audit`: verify, anchor, export and prune the audit trail."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from kombu.exceptions import OperationalError

from console.accounts.encryption import Undecryptable
from console.accounts.models import Team
from console.audit import anchors, jsonl, retention
from console.audit.models import AuditChain, AuditRecord
from console.audit.records import Origin, record_action
from console.audit.tasks import anchor_chains
from console.audit.verification import Problem, report_missing_chains, report_unchained, verify_chain

_MAX_PROBLEMS = 100


class Command(BaseCommand):
    help = "Verify, anchor, export or prune the audit trail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        subparsers = parser.add_subparsers(dest="action", required=True)
        verify_parser = subparsers.add_parser(
            "verify",
            help="verify the hash chain of each team; exit code 1 if a record was removed, altered, inserted or moved",
        )
        verify_parser.add_argument(
            "--team", default="", help="the short name of one team, or the name of a chain"
        )
        verify_parser.add_argument(
            "--since", type=_parse_moment, help="verify only records from this date or time on (UTC)"
        )
        verify_parser.add_argument(
            "--file", type=Path, help="compare an export (JSON lines) with the chains instead"
        )
        verify_parser.add_argument(
            "--anchors", type=Path, help="compare the anchors in a log with the chains too"
        )
        subparsers.add_parser(
            "anchor",
            help="write the length and state of each chain to the log, the webhook and standard output",
        )
        export_parser = subparsers.add_parser(
            "export", help="write a team's records as JSON lines to standard output, oldest first"
        )
        export_parser.add_argument("--team", required=True, help="the team's short name")
        export_parser.add_argument(
            "--since", type=_parse_moment, help="only records from this date or time on (UTC)"
        )
        export_parser.add_argument(
            "--until", type=_parse_moment, help="only records before this date or time (UTC)"
        )
        prune_parser = subparsers.add_parser(
            "prune", help="delete records that are older than their team keeps them; beat does this daily"
        )
        prune_parser.add_argument(
            "--team", default="", help="the short name of one team, or the name of a chain"
        )

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "export":
            self.export(options["team"], options["since"], options["until"])
        elif action == "prune":
            self.prune(options["team"])
        elif action == "anchor":
            self.anchor()
        elif options["file"]:
            self.compare(options["file"], jsonl.compare_lines, "records")
        else:
            self.verify(options["team"], options["since"])
            if options["anchors"]:
                self.compare(options["anchors"], anchors.compare_anchors, "anchors")

    def verify(self, team: str, since: datetime | None) -> None:
        total = self.print_problems("chains", report_missing_chains())
        for chain in _find_chains(team):
            count = self.print_problems(chain.name, verify_chain(chain, since))
            total += count
            if not count and not chain.length:
                self.stdout.write(f"{chain.name}: no records yet")
            elif not count:
                first, last = chain.base_length + 1, chain.length
                self.stdout.write(f"{chain.name}: entries {first} to {last} verified")
        unchained = AuditRecord.objects.filter(chain=None)
        if team:
            unchained = unchained.filter(team__slug=team)
        total += self.print_problems("in no chain", report_unchained(unchained.iterator(chunk_size=500)))
        if total:
            raise CommandError(f"The audit trail does not verify. Problems: {total}.")

    def anchor(self) -> None:
        try:
            heads = anchor_chains()
        except OperationalError as error:
            raise CommandError(
                "The anchors are in the log, but were not sent: Redis cannot be reached."
            ) from error
        for head in heads:
            self.stdout.write(json.dumps(head))

    def compare(
        self, path: Path, compare_lines: Callable[[Iterable[str]], Iterator[Problem | None]], what: str
    ) -> None:
        compared = 0

        def compare_file() -> Iterator[Problem]:
            nonlocal compared
            with path.open(encoding="utf-8") as file:
                for problem in compare_lines(file):
                    compared += 1
                    if problem is not None:
                        yield problem

        count = self.print_problems(path.name, compare_file())
        if count:
            raise CommandError(f"The file and the audit trail differ. Problems: {count}.")
        if not compared:
            raise CommandError(f"{path.name} contains no {what}.")
        self.stdout.write(f"{path.name}: {compared} {what} match the audit trail")

    def print_problems(self, source: str, problems: Iterator[Problem]) -> int:
        """Write the first problems as they are found. Returns the number of all."""
        count = 0
        for count, problem in enumerate(problems, 1):
            if count <= _MAX_PROBLEMS:
                self.stderr.write(f"{source}: {problem.kind}: {problem.text}")
        if count > _MAX_PROBLEMS:
            self.stderr.write(f"{source}: and {count - _MAX_PROBLEMS} more")
        return count

    def export(self, slug: str, since: datetime | None, until: datetime | None) -> None:
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise CommandError(f"No team has the short name {slug}.")
        records = AuditRecord.objects.for_team(team).order_by("at", "pk")
        if since:
            records = records.filter(at__gte=since)
        if until:
            records = records.filter(at__lt=until)
        limits = {"since": since, "until": until}
        parameters = {name: moment.isoformat() for name, moment in limits.items() if moment}
        with record_action(
            operation="audit.export", actor=None, team=team, origin=Origin(), parameters=parameters
        ):
            for line in jsonl.write_json_lines(records):
                self.stdout.write(line, ending="")

    def prune(self, team: str) -> None:
        for chain in _find_chains(team):
            try:
                deleted = retention.prune_chain(chain)
            except (retention.BrokenChain, Undecryptable) as error:
                raise CommandError(f"{chain.name} was not pruned: {error}") from error
            self.stdout.write(f"{chain.name}: {deleted} records deleted")


def _find_chains(team: str) -> list[AuditChain]:
    """Return all chains, or those of a team. Raises CommandError if there is no such team."""
    chains = AuditChain.objects.select_related("team").order_by("name")
    if not team:
        return list(chains)
    team_chains = list(chains.filter(Q(team__slug=team) | Q(name=team)))
    if not team_chains and not Team.objects.filter(slug=team).exists():
        raise CommandError(f"No team has the short name {team}.")
    return team_chains


def _parse_moment(text: str) -> datetime:
    """Return a date or time, in UTC unless it states a zone. Raises ValueError, which the parser reports."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
