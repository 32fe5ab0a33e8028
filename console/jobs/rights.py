"""With whose rights the steps of a job call the cloud. They are read again for each step."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop

from console.accounts.models import Membership, User
from console.audit.records import Origin
from console.connections.gateway import Gateway
from console.jobs.kinds import Kind
from console.jobs.models import Job, make_sentence
from console.jobs.visibility import is_in_scope
from console.teams.tokens.authentication import InvalidToken, find_membership


class JobRefused(Exception):
    """The job may not continue: the user who started it is no longer available or lost the permission."""

    def __init__(self, text: str, **args: Any) -> None:
        super().__init__(text % args if args else text)
        self.sentence = make_sentence(text, **args)


def create_gateway(job: Job, kind: Kind[Any]) -> Gateway:
    """Return the gateway of the user who started the job, with their current rights. Raises JobRefused."""
    # A started job never uses the rights of the user who created its draft: they may not have wanted to start it.
    actor = job.created_by if job.is_draft else job.started_by
    if actor is None or not actor.is_active:
        raise JobRefused(
            gettext_noop("Stopped: the user who started this job no longer exists or is deactivated.")
        )
    if not job.is_draft and job.account != job.connection.account:
        raise JobRefused(
            gettext_noop(
                "Stopped: the connection was changed to another account, region or instance after this job started."
            )
        )
    membership = _find_membership(job, actor)
    if not (membership.includes_connection(job.connection_id) and is_in_scope(membership, job)):
        raise JobRefused(
            gettext_noop("Stopped: the target is no longer in the access scope of %(person)s."),
            person=str(actor),
        )
    gateway = Gateway.for_job(
        actor,
        membership,
        job.connection,
        Origin(job_id=job.pk, token=job.token.label if job.token else ""),
    )
    if not kind.is_allowed(gateway):
        raise JobRefused(
            gettext_noop("Stopped: the role of %(person)s no longer allows this."), person=str(actor)
        )
    return gateway


def _find_membership(job: Job, actor: User) -> Membership:
    """Return the actor's current membership, limited by the token that started the job. Raises JobRefused."""
    if job.token is not None:
        try:
            return find_membership(job.token)
        except InvalidToken as error:
            raise JobRefused(error.text, **error.values) from error
    membership = Membership.objects.select_related("team").filter(team=job.team_id, user=actor).first()
    if membership is None:
        raise JobRefused(
            gettext_noop("Stopped: %(person)s is no longer a member of the team."), person=str(actor)
        )
    return membership
