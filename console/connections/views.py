"""Pages of a team's connections: list, create, edit, test, delete."""

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

from console.accounts.http import TeamRequest
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.audit.records import Origin, record_action
from console.connections.forms import ConnectionForm, edit_conflict
from console.connections.http import CloudRequest
from console.connections.models import Connection
from console.connections.probe import ProbeFailure, probe_and_record
from console.sign_in.reauthentication import requires_reauthentication
from console.teams.changes import Actor
from console.teams.pages.audit import audit_menu_items
from console.ui.format import label_text
from console.ui.forms import FORM_REFUSED, ConfirmForm
from console.ui.pieces import MenuItem
from console.ui.tables import Column, Empty, Table


def _open_url(request: HttpRequest, connection: Connection) -> str:
    return reverse("dashboard:home", args=[request.team.slug, connection.slug])  # type: ignore[attr-defined]


def _menu_url(request: HttpRequest, connection: Connection) -> str:
    return reverse("connections:menu", args=[request.team.slug, connection.slug])  # type: ignore[attr-defined]


TABLE: Table[Connection] = Table(
    id="connections",
    caption=gettext_lazy("Connections"),
    columns=[
        Column("name", gettext_lazy("Name"), link=_open_url, primary=True, sort=True),
        Column("region", gettext_lazy("Region"), value=lambda row: row.region_label, sort=True),
        Column("instance_id", gettext_lazy("Instance ID"), kind="code", sort=True),
        Column("access_key_id", gettext_lazy("AccessKey ID"), kind="code", sort=True),
        Column("endpoint", gettext_lazy("Endpoint"), hidden=True, sort=True),
        Column("test_status", gettext_lazy("Status"), kind="status", status="connection", sort=True),
        Column("tested_at", gettext_lazy("Last test"), kind="relative_time", sort=True),
        Column("updated_at", gettext_lazy("Modified"), kind="time", narrow=False, sort=True),
    ],
    row_template="connections/row.html",
    menu=_menu_url,
)


@require_safe
@requires(Area.CONNECTIONS, Level.READ)
def list_connections(request: TeamRequest) -> HttpResponse:
    """The team's connections."""
    may_add = request.membership.has_level(Area.CONNECTIONS, Level.WRITE)
    empty = Empty(
        gettext_lazy("No connections yet"),
        gettext_lazy("A connection is a cloud account: an AccessKey, a region and an instance."),
        icon="plug-connected",
        url=reverse("connections:add", args=[request.team.slug]) if may_add else "",
        action=gettext_lazy("Create connection"),
    )
    connections = Connection.objects.in_scope_of(request.membership)
    context = {
        "table": TABLE.bind(request, connections, empty=empty),
        "may_add": may_add,
        "may_test": may_add,
    }
    return render(request, "connections/list.html", context)


@require_safe
@requires(Area.CONNECTIONS, Level.READ)
def menu(request: CloudRequest) -> HttpResponse:
    """The menu of a connection in the list."""
    args, has_level = [request.team.slug, request.connection.slug], request.membership.has_level
    items = [MenuItem(_("Open overview"), reverse("dashboard:home", args=args), "layout-dashboard")]
    if has_level(Area.CONNECTIONS, Level.WRITE):
        items.append(MenuItem(_("Edit"), reverse("connections:edit", args=args), "pencil"))
    items += audit_menu_items(request, connection=request.connection.slug)
    if has_level(Area.CONNECTIONS, Level.DELETE):
        url = reverse("connections:delete", args=args)
        items.append(MenuItem(_("Delete…"), url, "trash", danger=True, dialog=True))
    return render(request, "ui/menu_items.html", {"items": items})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.WRITE)
@requires_reauthentication
def add(request: TeamRequest) -> HttpResponse:
    """Create a connection. It is saved if the platform accepts its keys."""
    form = ConnectionForm(_actor(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connection = _save(request, form, "connection.create")
        except IntegrityError:
            form.add_error(
                "slug", _("The team already has a connection with this short name. Enter another one.")
            )
        else:
            if form.failure is None:
                text = _("Connection %(name)s tested and created.")
                messages.success(request, text % {"name": connection.name})
            else:
                _warn_of_failed_test(request, connection, form.failure)
            return redirect("dashboard:home", request.team.slug, connection.slug)
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.WRITE)
@requires_reauthentication
def edit(request: CloudRequest) -> HttpResponse:
    """Edit a connection. A secret that is left empty is kept."""
    form = ConnectionForm(_actor(request), request.POST or None, instance=_copy_connection(request))
    if request.method == "POST" and form.is_valid():
        try:
            connection = _save(request, form, "connection.edit")
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if form.failure is None:
                messages.success(request, _("Connection %(name)s saved.") % {"name": connection.name})
            else:
                _warn_of_failed_test(request, connection, form.failure)
            return redirect("connections:list", request.team.slug)
    return _form_page(request, form, request.connection)


@require_POST
@requires(Area.CONNECTIONS, Level.WRITE)
def test(request: CloudRequest) -> HttpResponse:
    """Test the stored keys with a real call, and show the result."""
    connection, name = request.connection, request.connection.name
    failure = probe_and_record(_actor(request), connection)
    connection.save(update_fields=["tested_at", "test_error"])
    if failure is None:
        messages.success(request, _("%(name)s: the platform accepts the keys.") % {"name": name})
    else:
        messages.error(request, label_text(name, f"{failure.text} ({failure.error.code})"))
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Trigger"] = "list-changed"
        return response
    return redirect("connections:list", request.team.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.CONNECTIONS, Level.DELETE)
@requires_reauthentication
def delete(request: CloudRequest) -> HttpResponse:
    """Delete a connection and its keys, after its name was typed. Nothing changes in the cloud."""
    connection = request.connection
    form = ConfirmForm(connection.name, request.POST or None, label=_("Connection name"))
    if request.method == "POST" and form.is_valid():
        # Deleting a connection deletes its jobs. A running job would be interrupted.
        if connection.jobs.active().exists():
            form.add_error(
                None, _("Jobs are running on this connection. Cancel them, or wait until they finish.")
            )
        else:
            audit = _audit_fields(request)
            with (
                record_action(
                    operation="connection.delete", target=connection.name, connection=connection.slug, **audit
                ),
                transaction.atomic(),
            ):
                Connection.objects.filter(pk=connection.pk).delete()
            messages.success(request, _("Connection %(name)s deleted.") % {"name": connection.name})
            return redirect("connections:list", request.team.slug)
    return render(
        request, "connections/delete.html", {"form": form}, status=FORM_REFUSED if form.errors else 200
    )


def _warn_of_failed_test(request: TeamRequest, connection: Connection, failure: ProbeFailure) -> None:
    text = _("Connection %(name)s saved, but its test failed: %(reason)s")
    messages.warning(request, text % {"name": connection.name, "reason": failure.text})


def _form_page(request: TeamRequest, form: ConnectionForm, connection: Connection | None) -> HttpResponse:
    context = {"form": form, "connection": connection}
    return render(request, "connections/form.html", context, status=FORM_REFUSED if form.errors else 200)


def _save(request: TeamRequest, form: ConnectionForm, operation: str) -> Connection:
    fields = ("name", "region", "instance_id", "endpoint", "access_key_id")
    parameters: dict[str, Any] = {name: form.cleaned_data.get(name) for name in fields}
    before = {name: form.initial.get(name) for name in fields} if form.instance.pk else None
    parameters["changed"] = sorted(set(form.changed_data) - {"skip_test", "shown_version"})
    with (
        record_action(
            operation=operation,
            target=form.instance.name,
            connection=form.instance.slug,
            parameters=parameters,
            before=before,
            **_audit_fields(request),
        ),
        transaction.atomic(),
    ):
        _check_unchanged(form.instance)
        connection = form.save()
        form.keep_jobs()
        return connection


def _check_unchanged(connection: Connection) -> None:
    """Raises ValidationError if another user changed or deleted the connection while its keys were tested."""
    if connection.pk:
        unchanged = Connection.objects.select_for_update().filter(
            pk=connection.pk, updated_at=connection.updated_at
        )
        if unchanged.values_list("pk").first() is None:
            raise edit_conflict()


def _copy_connection(request: CloudRequest) -> Connection:
    """A copy that the form can change. The rest of the page shows the connection as it is stored."""
    return Connection.objects.for_team(request.team).get(pk=request.connection.pk)


def _actor(request: TeamRequest) -> Actor:
    return Actor(request.membership, Origin.from_request(request))


def _audit_fields(request: TeamRequest) -> dict[str, Any]:
    return {"actor": request.membership.user, "team": request.team, "origin": Origin.from_request(request)}
