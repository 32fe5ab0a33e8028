"""The team's roles: the list, what each may do, and the editor of its own ones."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from console.access import custom_roles
from console.access.http import TeamRequest
from console.access.models import CustomRole
from console.access.pages.common import actor_of, people
from console.access.pages.matrix import RoleForm, matrix, summary
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import BUILT_IN, Area, Level, Role
from console.cloud.catalogue import operations
from console.ui.forms import ConfirmForm
from console.ui.tables import Column, Table


def _role_url(request: HttpRequest, role: Role) -> str:
    return reverse("access:role", args=[request.team.slug, role.slug])  # type: ignore[attr-defined]


def roles_table(held: dict[str, int]) -> Table[Role]:
    """The list of roles; `held` is how many members have each."""
    return Table(
        id="roles",
        caption=gettext_lazy("Roles"),
        columns=[
            Column("name", gettext_lazy("Role"), value=lambda role: role.label, link=_role_url, primary=True),
            Column("summary", gettext_lazy("What it is for"), value=lambda role: str(role.summary)),
            Column(
                "kind",
                gettext_lazy("Kind"),
                value=lambda role: _("Built in") if role.slug in BUILT_IN else _("The team's own"),
            ),
            Column(
                "operations",
                gettext_lazy("Operations"),
                value=lambda role: sum(map(role.allows, operations().values())),
                kind="number",
            ),
            Column(
                "members", gettext_lazy("Members"), value=lambda role: held.get(role.slug, 0), kind="number"
            ),
        ],
    )


@require_safe
@requires(Area.MEMBERS, Level.READ)
def roles(request: TeamRequest) -> HttpResponse:
    """The roles that the team can give."""
    counted = people(request.team).order_by().values_list("role_slug").annotate(Count("pk"))
    context = {
        "table": roles_table(dict(counted)).bind(request, request.team.roles.values()),
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
    }
    return render(request, "access/roles.html", context)


@require_safe
@requires(Area.MEMBERS, Level.READ)
def role(request: TeamRequest, slug: str) -> HttpResponse:
    """What a role may do; `?compare=` marks where another one differs."""
    found = _role(request, slug)
    compared = request.team.roles.get(request.GET.get("compare", ""))
    own = request.team.custom_roles.filter(slug=slug).first()
    context = {
        "role": found,
        "rows": matrix(found, compared=compared),
        "summary": summary(found),
        "compared": compared,
        "others": [other for other in request.team.roles.values() if other.slug != slug],
        "editable": own is not None and custom_roles.may_edit(request.membership, found),
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
        "uses": custom_roles.uses(own) if own else "",
    }
    return render(request, "access/role.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def role_add(request: TeamRequest) -> HttpResponse:
    """A new role, begun as a copy of `?from=`, cut to what the editor's own role reaches."""
    editor = request.membership.role
    start = request.team.role(request.GET.get("from", "viewer")).at_most(editor)
    typed = {name: request.GET.get(name, "") for name in ("name", "description")}
    form = RoleForm(editor, start, request.POST or None, initial=typed)
    if request.method == "POST" and form.is_valid():
        try:
            made = custom_roles.create(actor_of(request), form.draft)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The role “%(role)s” is made.") % {"role": made.name})
            return redirect("access:role", request.team.slug, made.slug)
    return _editor(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def role_edit(request: TeamRequest, slug: str) -> HttpResponse:
    """Changes a role of the team's own; built-in ones are as they are."""
    own = _own(request, slug)
    seen = request.POST.get("seen", own.updated_at.isoformat())
    form = RoleForm(
        request.membership.role,
        own,
        request.POST or None,
        initial={"name": own.name, "description": own.description},
    )
    if request.method == "POST" and form.is_valid():
        try:
            if seen != own.updated_at.isoformat():
                raise custom_roles.changed_meanwhile()
            custom_roles.edit(actor_of(request), own, form.draft)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The role “%(role)s” is saved.") % {"role": form.draft.name})
            return redirect("access:role", request.team.slug, own.slug)
    return _editor(request, form, own, seen=seen)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@reauthenticated
def role_delete(request: TeamRequest, slug: str) -> HttpResponse:
    """Deletes a role that nothing uses, after its name was typed."""
    own = _own(request, slug)
    form = ConfirmForm(own.name, request.POST or None, label=_("Name of the role"))
    if request.method == "POST" and form.is_valid():
        try:
            custom_roles.delete(actor_of(request), own)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The role “%(role)s” is deleted.") % {"role": own.name})
            return redirect("access:roles", request.team.slug)
    back = reverse("access:role", args=[request.team.slug, own.slug])
    context = {
        "title": _("Delete the role “%(role)s”?") % {"role": own.name},
        "form": form,
        "cancel": back,
        "crumbs": [
            (request.team.name, ""),
            (_("Roles"), reverse("access:roles", args=[request.team.slug])),
            (own.name, back),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=422 if form.errors else 200)


@require_safe
@requires(Area.MEMBERS, Level.WRITE)
def role_preview(request: TeamRequest) -> HttpResponse:
    """What a role of the chosen levels could do, for the editor while it is open."""
    form = RoleForm(request.membership.role, BUILT_IN["viewer"], request.GET)
    return render(request, "access/_role_summary.html", {"summary": summary(form.shown_role)})


def _editor(request: TeamRequest, form: RoleForm, own: CustomRole | None, seen: str = "") -> HttpResponse:
    context = {
        "form": form,
        "own": own,
        "seen": seen,
        "summary": summary(form.shown_role),
        "roles": request.team.roles.values(),
        "copied": request.GET.get("from", "viewer"),
    }
    return render(request, "access/role_edit.html", context, status=422 if form.errors else 200)


def _role(request: TeamRequest, slug: str) -> Role:
    found = request.team.roles.get(slug)
    if found is None:
        raise Http404
    return found


def _own(request: TeamRequest, slug: str) -> CustomRole:
    """The team's own role; raises Http404 for another's and for a built-in one, PermissionDenied when it exceeds the person's."""
    found = get_object_or_404(request.team.custom_roles, slug=slug)
    found.team = request.team
    if not custom_roles.may_edit(request.membership, found.role):
        raise PermissionDenied(_("This role reaches further than yours."))
    return found
