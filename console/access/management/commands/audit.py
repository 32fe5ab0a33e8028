"""`manage.py audit`: verify, export and prune the audit trail."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from console.access.audit import Origin, lines, recorded, retention
from console.access.audit.verifying import Problem, unsealed, verify
from console.access.encryption import Undecryptable
from console.access.models import AuditChain, AuditRecord, Team

_SHOWN = 100


class Command(BaseCommand):
    help = "Verify, export or prune the audit trail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        verifying = acts.add_parser(
            "verify",
            help="read the chain of each team again; exit code 1 when a record was removed, altered, inserted or moved",
        )
        verifying.add_argument(
            "--team", default="", help="the short name of one team, or the name of a chain"
        )
        verifying.add_argument(
            "--since", type=_moment, help="begin with the records of this day or time (UTC)"
        )
        verifying.add_argument(
            "--file", type=Path, help="hold an export (JSON lines) against the chains instead"
        )
        exporting = acts.add_parser(
            "export", help="write a team's records as JSON lines to standard output, oldest first"
        )
        exporting.add_argument("--team", required=True, help="the team's short name")
        exporting.add_argument("--since", type=_moment, help="records of this day or time and later (UTC)")
        exporting.add_argument("--until", type=_moment, help="records before this day or time (UTC)")
        pruning = acts.add_parser(
            "prune", help="delete records older than their team keeps them; beat does it daily"
        )
        pruning.add_argument("--team", default="", help="the short name of one team, or the name of a chain")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        if act == "export":
            self.export(options["team"], options["since"], options["until"])
        elif act == "prune":
            self.prune(options["team"])
        elif options["file"]:
            self.compare(options["file"])
        else:
            self.verify(options["team"], options["since"])

    def verify(self, team: str, since: datetime | None) -> None:
        wrong = 0
        for chain in _chains(team):
            found = self.tell(chain.name, verify(chain, since))
            wrong += found
            if not found:
                self.stdout.write(f"{chain.name}: links {chain.base_length + 1} to {chain.length} fit")
        loose = AuditRecord.objects.filter(chain=None)
        if team:
            loose = loose.filter(team__slug=team)
        wrong += self.tell("in no chain", unsealed(loose.iterator(chunk_size=500)))
        if wrong:
            raise CommandError(f"The audit trail does not verify: problems found: {wrong}.")

    def compare(self, path: Path) -> None:
        found: list[int] = []

        def counted() -> Iterator[Problem]:
            with path.open(encoding="utf-8") as file:
                for problem in lines.compare(file):
                    found.append(1)
                    if problem is not None:
                        yield problem

        wrong = self.tell(path.name, counted())
        if wrong:
            raise CommandError(f"The file and the audit trail differ: problems found: {wrong}.")
        self.stdout.write(f"{path.name}: {len(found)} records are in the trail as they are in the file")

    def tell(self, where: str, problems: Iterator[Problem]) -> int:
        """Write the first problems as they are found; how many there are."""
        count = 0
        for count, problem in enumerate(problems, 1):
            if count <= _SHOWN:
                self.stderr.write(f"{where}: {problem.kind}: {problem.text}")
        if count > _SHOWN:
            self.stderr.write(f"{where}: and {count - _SHOWN} more")
        return count

    def export(self, slug: str, since: datetime | None, until: datetime | None) -> None:
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise CommandError(f"There is no team {slug}.")
        records = AuditRecord.objects.for_team(team).order_by("at", "pk")
        if since:
            records = records.filter(at__gte=since)
        if until:
            records = records.filter(at__lt=until)
        asked = {"since": since, "until": until}
        parameters = {name: moment.isoformat() for name, moment in asked.items() if moment}
        with recorded(
            operation="audit.export", actor=None, team=team, origin=Origin(), parameters=parameters
        ):
            for line in lines.json_lines(records):
                self.stdout.write(line, ending="")

    def prune(self, team: str) -> None:
        for chain in _chains(team):
            try:
                deleted = retention.prune(chain)
            except (retention.Broken, Undecryptable) as error:
                raise CommandError(f"{chain.name} was not pruned: {error}") from error
            self.stdout.write(f"{chain.name}: {deleted} records deleted")


def _chains(team: str) -> list[AuditChain]:
    """All chains, or that of a team. Raises CommandError when there is none."""
    chains = AuditChain.objects.select_related("team").order_by("name")
    if not team:
        return list(chains)
    found = list(chains.filter(Q(team__slug=team) | Q(name=team)))
    if not found and not Team.objects.filter(slug=team).exists():
        raise CommandError(f"There is no team {team}.")
    return found


def _moment(text: str) -> datetime:
    """A day or a time, in UTC unless it says otherwise. Raises ValueError, which the parser tells."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
