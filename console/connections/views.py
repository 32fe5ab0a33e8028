"""A team's connections: list, add, edit, test, delete."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access.audit import Origin, record_action
from console.access.http import TeamRequest
from console.access.permissions import requires
from console.access.reauthentication import requires_reauthentication
from console.access.roles import Area, Level
from console.access.teams import Actor
from console.connections.forms import REGIONS, ConnectionForm, changed_meanwhile
from console.connections.http import CloudRequest
from console.connections.models import Connection
from console.connections.probe import recorded_probe
from console.ui.forms import ConfirmForm
from console.ui.tables import Column, Empty, Table


def _open_url(request: HttpRequest, connection: Connection) -> str:
    return reverse("dashboard:home", args=[request.team.slug, connection.slug])  # type: ignore[attr-defined]


TABLE: Table[Connection] = Table(
    id="connections",
    caption=gettext_lazy("Connections"),
    columns=[
        Column("name", gettext_lazy("Name"), link=_open_url, primary=True),
        Column("region", gettext_lazy("Region"), kind="code"),
        Column("instance_id", gettext_lazy("Instance ID"), kind="code"),
        Column("access_key_id", gettext_lazy("AccessKey ID"), kind="code"),
        Column("endpoint", gettext_lazy("Endpoint"), hidden=True),
        Column("updated_at", gettext_lazy("Changed"), kind="ago", narrow=False),
    ],
    row_template="connections/row.html",
)


@require_safe
@requires(Area.CONNECTIONS, Level.READ)
def connections(request: TeamRequest) -> HttpResponse:
    """The team's connections."""
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    empty = Empty(
        gettext_lazy("No connection yet"),
        gettext_lazy("A connection is a cloud account: an AccessKey, a region and an instance."),
        icon="plug-connected",
        url=reverse("connections:add", args=[request.team.slug]) if may_add else "",
        action=gettext_lazy("Add a connection"),
    )
    found = Connection.objects.within(request.membership)
    context = {"table": TABLE.bind(request, found, empty=empty), "may_add": may_add}
    return render(request, "connections/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.WRITE)
@requires_reauthentication
def add(request: TeamRequest) -> HttpResponse:
    """A new connection; saved when the platform accepts its keys."""
    form = ConnectionForm(_actor(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connection = _save(request, form, "connection.create")
        except IntegrityError:
            form.add_error("slug", _("The team has a connection of this short name already."))
        else:
            messages.success(
                request, _("The connection %(name)s works and is saved.") % {"name": connection.name}
            )
            return redirect("dashboard:home", request.team.slug, connection.slug)
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.WRITE)
@requires_reauthentication
def edit(request: CloudRequest) -> HttpResponse:
    """Changes a connection; a secret that is left empty stays as it is."""
    form = ConnectionForm(_actor(request), request.POST or None, instance=_own(request))
    if request.method == "POST" and form.is_valid():
        try:
            connection = _save(request, form, "connection.edit")
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The connection %(name)s is saved.") % {"name": connection.name})
            return redirect("connections:list", request.team.slug)
    return _form_page(request, form, request.connection)


@require_POST
@requires(Area.CONNECTIONS, Level.WRITE)
def test(request: CloudRequest) -> HttpResponse:
    """Tries the stored keys with a real call and says what came of it."""
    finding = recorded_probe(_actor(request), request.connection)
    name = request.connection.name
    if finding is None:
        messages.success(request, _("%(name)s: the platform answers and accepts the keys.") % {"name": name})
    else:
        messages.error(request, f"{name}: {finding.text} ({finding.error.code})")
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("connections:list", request.team.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.DELETE)
@requires_reauthentication
def delete(request: CloudRequest) -> HttpResponse:
    """Forgets a connection and its keys, after its name was typed. Nothing changes in the cloud."""
    connection = request.connection
    form = ConfirmForm(connection.name, request.POST or None, label=_("Name of the connection"))
    if request.method == "POST" and form.is_valid():
        # Jobs go with their connection; one that is at work would be cut off in the middle.
        if connection.jobs.at_work().exists():
            form.add_error(
                None, _("Jobs are at work on this connection. Cancel them, or wait for their end.")
            )
        else:
            who = _who(request)
            with (
                record_action(
                    operation="connection.delete", target=connection.name, connection=connection.slug, **who
                ),
                transaction.atomic(),
            ):
                Connection.objects.filter(pk=connection.pk).delete()
            messages.success(request, _("The connection %(name)s is deleted.") % {"name": connection.name})
            return redirect("connections:list", request.team.slug)
    return render(request, "connections/delete.html", {"form": form}, status=422 if form.errors else 200)


def _form_page(request: TeamRequest, form: ConnectionForm, connection: Connection | None) -> HttpResponse:
    context = {"form": form, "connection": connection, "regions": REGIONS}
    return render(request, "connections/form.html", context, status=422 if form.errors else 200)


def _save(request: TeamRequest, form: ConnectionForm, operation: str) -> Connection:
    fields = ("name", "region", "instance_id", "endpoint", "access_key_id")
    parameters: dict[str, Any] = {name: form.cleaned_data.get(name) for name in fields}
    before = {name: form.initial.get(name) for name in fields} if form.instance.pk else None
    parameters["changed"] = sorted(set(form.changed_data) - {"untested", "seen"})
    with (
        record_action(
            operation=operation,
            target=form.instance.name,
            connection=form.instance.slug,
            parameters=parameters,
            before=before,
            **_who(request),
        ),
        transaction.atomic(),
    ):
        _check_unchanged(form.instance)
        return form.save()


def _check_unchanged(connection: Connection) -> None:
    """Raises ValidationError when somebody changed or deleted the connection while its keys were tried."""
    if connection.pk:
        here = Connection.objects.select_for_update().filter(
            pk=connection.pk, updated_at=connection.updated_at
        )
        if here.values_list("pk").first() is None:
            raise changed_meanwhile()


def _own(request: CloudRequest) -> Connection:
    """A copy for the form to change: the page's frame shows the connection as it is stored, whatever was typed."""
    return Connection.objects.for_team(request.team).get(pk=request.connection.pk)


def _actor(request: TeamRequest) -> Actor:
    return Actor(request.membership, Origin.of(request))


def _who(request: TeamRequest) -> dict[str, Any]:
    return {"actor": request.membership.user, "team": request.team, "origin": Origin.of(request)}
