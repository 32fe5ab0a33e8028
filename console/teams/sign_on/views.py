"""The page where owners edit the single sign-on rules of their team."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.http import TeamRequest
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.accounts.scope import describe_scope
from console.sign_in.models import SignOnRule
from console.sign_in.openid_connect.claims import Identity, find_matching_rule, list_domains
from console.sign_in.openid_connect.pages import find_provider
from console.sign_in.reauthentication import requires_reauthentication, requires_reauthentication_to_save
from console.teams.pages.common import connection_names, get_actor
from console.teams.sign_on.forms import RuleForm, TryForm
from console.teams.sign_on.rules import add_rule, change_rule, delete_rule, list_rule_roles, move_rule
from console.ui.forms import FORM_REFUSED
from console.ui.tables import Column, Empty, Table

owners_only = requires(Area.MEMBERS, Level.SECRET)


def _edit_url(request: HttpRequest, rule: SignOnRule) -> str:
    return reverse("teams:sign-on-edit", args=[request.team.slug, rule.pk])  # type: ignore[attr-defined]


def describe_rule(rule: SignOnRule) -> str:
    """Return the condition of the rule as a short text."""
    if not rule.claim:
        return _("Email domain: %(domain)s") % {"domain": rule.value}
    return _("%(claim)s: %(value)s") % {"claim": rule.claim, "value": rule.value}


def _table(names: dict[int, str]) -> Table[SignOnRule]:
    return Table(
        id="sign-on-rules",
        caption=gettext_lazy("Single sign-on rules"),
        columns=[
            Column("rule", gettext_lazy("Condition"), value=describe_rule, link=_edit_url, primary=True),
            Column("role", gettext_lazy("Role"), value=lambda rule: str(rule.own_role.label)),
            Column(
                "scope",
                gettext_lazy("Access scope"),
                value=lambda rule: describe_scope(rule.own_scope, names),
            ),
        ],
        row_template="teams/sign_on/row.html",
    )


@require_safe
@owners_only
def rules(request: TeamRequest) -> HttpResponse:
    """List the rules of the team in the order in which they are checked."""
    empty = Empty(
        gettext_lazy("No rules yet"),
        gettext_lazy("Without rules, only invited users can join the team."),
        icon="login-2",
        url=reverse("teams:sign-on-add", args=[request.team.slug]),
        action=gettext_lazy("Add rule"),
    )
    table = _table(connection_names(request.team)).bind(request, _rules(request), empty=empty)
    context = {
        "table": table,
        "provider": find_provider(request),
        "domains": ", ".join(list_domains(request.team)),
    }
    return render(request, "teams/sign_on/rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@owners_only
@requires_reauthentication_to_save
def add(request: TeamRequest) -> HttpResponse:
    """Add a rule after all others."""
    form = RuleForm(request.team, list_rule_roles(request.membership), request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            add_rule(get_actor(request), values["claim"], values["value"], values["role"], form.access_scope)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Rule saved. It applies from the next sign-in."))
            return redirect("teams:sign-on", request.team.slug)
    return _form_page(request, form, _("Add rule"), submit=_("Add rule"))


@require_http_methods(["GET", "HEAD", "POST"])
@owners_only
@requires_reauthentication_to_save
def edit(request: TeamRequest, pk: int) -> HttpResponse:
    """Change a rule."""
    rule = _rule(request, pk)
    form = RuleForm(request.team, list_rule_roles(request.membership), request.POST or None, grant=rule)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            change_rule(
                get_actor(request), rule, values["claim"], values["value"], values["role"], form.access_scope
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Rule saved. It applies from the next sign-in."))
            return redirect("teams:sign-on", request.team.slug)
    return _form_page(request, form, _("Edit rule"))


@require_POST
@owners_only
@requires_reauthentication
def move(request: TeamRequest, pk: int) -> HttpResponse:
    """Move a rule one position: up with `to=up`, else down."""
    move_rule(get_actor(request), _rule(request, pk), up=request.POST.get("to") == "up")
    return redirect("teams:sign-on", request.team.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@owners_only
@requires_reauthentication
def delete(request: TeamRequest, pk: int) -> HttpResponse:
    """Delete a rule."""
    rule = _rule(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        delete_rule(get_actor(request), rule)
        messages.success(request, _("Rule deleted."))
        return redirect("teams:sign-on", request.team.slug)
    context = {
        "title": _("Delete this rule?"),
        "text": describe_rule(rule),
        "consequences": [
            _(
                "Members added by this rule leave the team at their next sign-in, unless another rule matches."
            ),
            _("To remove them immediately, use the Members page."),
        ],
        "form": form,
        "cancel": reverse("teams:sign-on", args=[request.team.slug]),
        "crumbs": _crumbs(request),
    }
    return render(request, "ui/confirm_page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@owners_only
def try_rules(request: TeamRequest) -> HttpResponse:
    """Show which rule matches the claims. Changes nothing."""
    form = TryForm(request.POST or None)
    context = {"form": form, "has_result": False}
    if request.method == "POST" and form.is_valid():
        provider = find_provider(request)
        verified_claim = provider.app.settings["email_verified_claim"] if provider else "email_verified"
        identity = Identity.from_claims("", form.cleaned_data["claims"], verified_claim=verified_claim)
        rule = find_matching_rule(_rules(request), identity)
        context |= {
            "has_result": True,
            "email": identity.email,
            "verified_claim": verified_claim,
            "rule": rule,
            "is_confirmed": identity.email.rpartition("@")[2] in list_domains(request.team),
            "condition": describe_rule(rule) if rule else "",
            "scope": describe_scope(rule.own_scope, connection_names(request.team)) if rule else "",
        }
    return render(
        request, "teams/sign_on/try_rules.html", context, status=FORM_REFUSED if form.errors else 200
    )


def _form_page(request: TeamRequest, form: RuleForm, title: str, submit: str = "") -> HttpResponse:
    context = {
        "title": title,
        "submit": submit,
        "form": form,
        "cancel": reverse("teams:sign-on", args=[request.team.slug]),
        "crumbs": _crumbs(request),
    }
    return render(request, "teams/sign_on/rule.html", context, status=FORM_REFUSED if form.errors else 200)


def _crumbs(request: TeamRequest) -> list[tuple[str, str]]:
    return [(_("Single sign-on"), reverse("teams:sign-on", args=[request.team.slug]))]


def _rules(request: TeamRequest) -> list[SignOnRule]:
    rules = list(request.team.sign_on_rules.all())
    for rule in rules:
        rule.team = request.team  # its roles were read already
    return rules


def _rule(request: TeamRequest, pk: int) -> SignOnRule:
    rule = get_object_or_404(request.team.sign_on_rules, pk=pk)
    rule.team = request.team
    return rule
