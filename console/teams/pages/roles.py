"""The roles of a team: the list, the permissions of a role, and the editor of custom roles."""

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

from console.accounts.http import TeamRequest
from console.accounts.models import CustomRole
from console.accounts.permissions import requires
from console.accounts.roles import BUILT_IN, Area, Level, Role
from console.sign_in.reauthentication import requires_reauthentication, requires_reauthentication_to_save
from console.teams import custom_roles
from console.teams.pages.common import get_actor, list_members
from console.teams.pages.matrix import LEVEL_LABELS, RoleForm, build_matrix, summarize_role
from console.ui.forms import FORM_REFUSED, ConfirmForm
from console.ui.tables import Column, Table
from iot_client.catalogue import operations


def _role_url(request: HttpRequest, role: Role) -> str:
    return reverse("teams:role", args=[request.team.slug, role.slug])  # type: ignore[attr-defined]


def roles_table(member_counts: dict[str, int]) -> Table[Role]:
    """Return the table of roles; `member_counts` are the numbers of members by role slug."""
    return Table(
        id="roles",
        caption=gettext_lazy("Roles"),
        columns=[
            Column(
                "name",
                gettext_lazy("Role"),
                value=lambda role: role.label,
                link=_role_url,
                primary=True,
                sort=True,
            ),
            Column("summary", gettext_lazy("Description"), value=lambda role: str(role.summary)),
            Column(
                "kind",
                gettext_lazy("Type"),
                value=lambda role: _("Built-in") if role.slug in BUILT_IN else _("Custom"),
                sort=True,
            ),
            Column(
                "operations",
                gettext_lazy("Operations"),
                value=lambda role: sum(map(role.allows, operations().values())),
                kind="number",
                sort=True,
            ),
            Column(
                "members",
                gettext_lazy("Members"),
                value=lambda role: member_counts.get(role.slug, 0),
                kind="number",
                sort=True,
            ),
        ],
    )


@require_safe
@requires(Area.MEMBERS, Level.READ)
def roles(request: TeamRequest) -> HttpResponse:
    """List the roles of the team."""
    member_counts = list_members(request.team).order_by().values_list("role_slug").annotate(Count("pk"))
    context = {
        "table": roles_table(dict(member_counts)).bind(request, request.team.roles.values()),
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
    }
    return render(request, "teams/roles.html", context)


@require_safe
@requires(Area.MEMBERS, Level.READ)
def role(request: TeamRequest, slug: str) -> HttpResponse:
    """Show the permissions of a role; `?compare=` marks the differences from another one."""
    selected = _get_role(request, slug)
    compared = request.team.roles.get(request.GET.get("compare", ""))
    custom = request.team.custom_roles.filter(slug=slug).first()
    context = {
        "role": selected,
        "rows": build_matrix(selected, compared=compared),
        "summary": summarize_role(selected),
        "levels": list(LEVEL_LABELS.values()),
        "compared": compared,
        "other_roles": [other for other in request.team.roles.values() if other.slug != slug],
        "may_edit": custom is not None and custom_roles.may_edit_role(request.membership, selected),
        "may_add": request.membership.has_level(Area.MEMBERS, Level.WRITE),
        "uses": custom_roles.describe_uses(custom) if custom else "",
    }
    return render(request, "teams/role.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication_to_save
def role_add(request: TeamRequest) -> HttpResponse:
    """Create a role from a copy of `?from=`, limited to the permissions of the editor's own role."""
    editor = request.membership.role
    template = request.team.role(request.GET.get("from", "viewer")).limit_to(editor)
    initial = {name: request.GET.get(name, "") for name in ("name", "description")}
    form = RoleForm(editor, template, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            created = custom_roles.create_role(get_actor(request), form.draft)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Role “%(role)s” created.") % {"role": created.name})
            return redirect("teams:role", request.team.slug, created.slug)
    return _show_editor(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication_to_save
def role_edit(request: TeamRequest, slug: str) -> HttpResponse:
    """Edit a custom role. Built-in roles cannot be edited."""
    custom = _get_custom_role(request, slug)
    seen = request.POST.get("seen", custom.updated_at.isoformat())
    form = RoleForm(
        request.membership.role,
        custom,
        request.POST or None,
        initial={"name": custom.name, "description": custom.description},
    )
    if request.method == "POST" and form.is_valid():
        try:
            if seen != custom.updated_at.isoformat():
                raise custom_roles.role_changed_error()
            custom_roles.edit_role(get_actor(request), custom, form.draft)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Role “%(role)s” saved.") % {"role": form.draft.name})
            return redirect("teams:role", request.team.slug, custom.slug)
    return _show_editor(request, form, custom, seen=seen)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Area.MEMBERS, Level.WRITE)
@requires_reauthentication
def role_delete(request: TeamRequest, slug: str) -> HttpResponse:
    """Delete an unused role once its name is entered."""
    custom = _get_custom_role(request, slug)
    form = ConfirmForm(custom.name, request.POST or None, label=_("Role name"))
    if request.method == "POST" and form.is_valid():
        try:
            custom_roles.delete_role(get_actor(request), custom)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Role “%(role)s” deleted.") % {"role": custom.name})
            return redirect("teams:roles", request.team.slug)
    back = reverse("teams:role", args=[request.team.slug, custom.slug])
    context = {
        "title": _("Delete the role “%(role)s”?") % {"role": custom.name},
        "form": form,
        "cancel": back,
        "crumbs": [
            (_("Roles"), reverse("teams:roles", args=[request.team.slug])),
            (custom.name, back),
        ],
    }
    return render(request, "ui/confirm_page.html", context, status=FORM_REFUSED if form.errors else 200)


@require_safe
@requires(Area.MEMBERS, Level.WRITE)
def role_preview(request: TeamRequest) -> HttpResponse:
    """Describe a role with the selected levels, for the open editor."""
    form = RoleForm(request.membership.role, BUILT_IN["viewer"], request.GET)
    return render(request, "teams/_role_summary.html", {"summary": summarize_role(form.present_role)})


def _show_editor(
    request: TeamRequest, form: RoleForm, custom: CustomRole | None, seen: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "custom": custom,
        "seen": seen,
        "summary": summarize_role(form.present_role),
        "roles": request.team.roles.values(),
        "copied_slug": request.GET.get("from", "viewer"),
    }
    return render(request, "teams/role_edit.html", context, status=FORM_REFUSED if form.errors else 200)


def _get_role(request: TeamRequest, slug: str) -> Role:
    selected = request.team.roles.get(slug)
    if selected is None:
        raise Http404
    return selected


def _get_custom_role(request: TeamRequest, slug: str) -> CustomRole:
    """Return a custom role of the team.

    Raises Http404 for another team's and for a built-in role, PermissionDenied if it exceeds the user's own role.
    """
    custom = get_object_or_404(request.team.custom_roles, slug=slug)
    custom.team = request.team
    if not custom_roles.may_edit_role(request.membership, custom.role):
        raise PermissionDenied(_("This role has more permissions than yours. Ask a team owner."))
    return custom
