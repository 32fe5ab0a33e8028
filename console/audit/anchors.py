"""Writes the heads of all chains to places outside the database, and compares the chains with them later.

Who can write to the database can restore a chain's row together with the records of an earlier time. That is a valid chain, so
only a head that was stored elsewhere reveals it. Each anchor is one line of JSON in the log, and part of one signed request to a
webhook if AUDIT_ANCHOR_URL is set.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from django.conf import settings
from django.utils import timezone

from console.accounts.encryption import Undecryptable
from console.audit import hmacs
from console.audit.models import AuditChain
from console.audit.verification import Problem, read_entries

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 10.0
SIGNATURE_HEADER = "X-Fleetdesk-Signature"


def log_anchors() -> list[dict[str, Any]]:
    """Write the head of each chain to the log and return them: chain, team, length and state, and the time."""
    at = timezone.now().isoformat(timespec="seconds")
    anchors = [
        {
            "anchor": chain.name,
            "team": chain.team.slug if chain.team else "",
            "length": chain.length,
            "state": chain.state,
            "at": at,
        }
        for chain in AuditChain.objects.select_related("team").order_by("number")
    ]
    for anchor in anchors:
        log.info(json.dumps(anchor))
    return anchors


def post_anchors(anchors: list[dict[str, Any]]) -> None:
    """Send anchors to AUDIT_ANCHOR_URL, with the HMAC-SHA256 of the body under AUDIT_ANCHOR_SECRET. Raises httpx.HTTPError."""
    body = json.dumps({"anchors": anchors}).encode()
    signature = hmac.new(settings.AUDIT_ANCHOR_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: f"sha256={signature}"}
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        client.post(settings.AUDIT_ANCHOR_URL, content=body, headers=headers).raise_for_status()


def compare_anchors(lines: Iterable[str]) -> Iterator[Problem | None]:
    """Compare lines of the log, or saved requests of the webhook, with the chains. Yields for each anchor its problem, or None.

    Lines without an anchor are skipped. An anchor of entries that were pruned since is no problem.
    """
    chains = {chain.name: chain for chain in AuditChain.objects.all()}
    for line_number, line in enumerate(lines, 1):
        try:
            anchors = list(_read_anchors(line))
        except (ValueError, KeyError, TypeError):
            yield Problem("file", f"line {line_number} is not an anchor")
            continue
        for name, length, state in anchors:
            problem = _find_difference(chains.get(name), name, length, state)
            yield Problem(problem[0], f"line {line_number}: {problem[1]}") if problem else None


def _read_anchors(line: str) -> Iterator[tuple[str, int, str]]:
    """Yield chain, length and state of the anchors in a line. Raises ValueError, KeyError, TypeError."""
    start = line.find("{")
    if start < 0 or '"anchor' not in line:
        return
    values = json.loads(line[start:])
    for anchor in values.get("anchors", [values]):
        yield str(anchor["anchor"]), int(anchor["length"]), str(anchor["state"])


def _find_difference(chain: AuditChain | None, name: str, length: int, state: str) -> tuple[str, str] | None:
    if chain is None:
        return "removed", f"the chain {name} does not exist"
    if length > chain.length:
        return "truncated", f"the chain {name} had {length} entries and has {chain.length}"
    if length < chain.base_length:
        return None
    try:
        present = _read_state(chain, length)
    except Undecryptable as error:
        return "key", str(error)
    if present is None:
        return "removed", f"entry {length} of the chain {name} is missing"
    if not hmac.compare_digest(present, state):
        return "altered", f"entry {length} of the chain {name} is another one"
    return None


def _read_state(chain: AuditChain, number: int) -> str | None:
    """Return the state after an entry, or None if the entry does not exist. Raises Undecryptable."""
    if number == chain.base_length:
        return chain.base_state
    entry = next(iter(read_entries(chain, number, number).get(number, [])), None)
    return hmacs.state_after(chain.key, number, entry.hmac) if entry else None
