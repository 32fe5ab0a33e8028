"""The page where owners say whom single sign-on brings into their team."""

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

from console.access.http import TeamRequest
from console.access.models import SignOnRule
from console.access.pages.common import actor_of, connection_names
from console.access.permissions import requires
from console.access.reauthentication import reauthenticated
from console.access.roles import Area, Level
from console.access.scope import in_words
from console.access.sign_on.claims import Identity, first_fit
from console.access.sign_on.forms import RuleForm, TryForm
from console.access.sign_on.rules import add_rule, change_rule, delete_rule, givable, move_rule
from console.access.sign_on.sign_in import provider_of
from console.ui.tables import Column, Empty, Table

OWNERS = requires(Area.MEMBERS, Level.SECRET)


def _edit_url(request: HttpRequest, rule: SignOnRule) -> str:
    return reverse("access:sign-on-edit", args=[request.team.slug, rule.pk])  # type: ignore[attr-defined]


def in_short(rule: SignOnRule) -> str:
    """Whom the rule speaks of, in a line."""
    if not rule.claim:
        return _("E-mail address at %(domain)s") % {"domain": rule.value}
    return _("%(claim)s: %(value)s") % {"claim": rule.claim, "value": rule.value}


def _table(names: dict[int, str]) -> Table[SignOnRule]:
    return Table(
        id="sign-on-rules",
        caption=gettext_lazy("Rules of single sign-on"),
        columns=[
            Column("rule", gettext_lazy("People with"), value=in_short, link=_edit_url, primary=True),
            Column("role", gettext_lazy("Get the role"), value=lambda rule: str(rule.own_role.label)),
            Column("scope", gettext_lazy("Reach"), value=lambda rule: in_words(rule.own_scope, names)),
        ],
        row_template="access/sign_on/row.html",
    )


@require_safe
@OWNERS
def rules(request: TeamRequest) -> HttpResponse:
    """The team's rules, in the order they count."""
    empty = Empty(
        gettext_lazy("No rule yet"),
        gettext_lazy("Without a rule only invited people belong to the team."),
        icon="login-2",
        url=reverse("access:sign-on-add", args=[request.team.slug]),
        action=gettext_lazy("Add a rule"),
    )
    table = _table(connection_names(request.team)).bind(request, _rules(request), empty=empty)
    return render(request, "access/sign_on/rules.html", {"table": table, "provider": provider_of(request)})


@require_http_methods(["GET", "HEAD", "POST"])
@OWNERS
@reauthenticated
def add(request: TeamRequest) -> HttpResponse:
    """A new rule, which counts after all others."""
    form = RuleForm(request.team, givable(request.membership), request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            add_rule(actor_of(request), values["claim"], values["value"], values["role"], form.access_scope)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The rule is saved. It counts from the next sign-in on."))
            return redirect("access:sign-on", request.team.slug)
    return _form_page(request, form, _("Add a rule"))


@require_http_methods(["GET", "HEAD", "POST"])
@OWNERS
@reauthenticated
def edit(request: TeamRequest, pk: int) -> HttpResponse:
    """Changes a rule."""
    rule = _rule(request, pk)
    form = RuleForm(request.team, givable(request.membership), request.POST or None, grant=rule)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            change_rule(
                actor_of(request), rule, values["claim"], values["value"], values["role"], form.access_scope
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The rule is saved. It counts from the next sign-in on."))
            return redirect("access:sign-on", request.team.slug)
    return _form_page(request, form, _("Change the rule"))


@require_POST
@OWNERS
@reauthenticated
def move(request: TeamRequest, pk: int) -> HttpResponse:
    """Moves a rule one place: up with `to=up`, else down."""
    move_rule(actor_of(request), _rule(request, pk), up=request.POST.get("to") == "up")
    return redirect("access:sign-on", request.team.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@OWNERS
@reauthenticated
def delete(request: TeamRequest, pk: int) -> HttpResponse:
    """Deletes a rule."""
    rule = _rule(request, pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        delete_rule(actor_of(request), rule)
        messages.success(request, _("The rule is deleted."))
        return redirect("access:sign-on", request.team.slug)
    context = {
        "title": _("Delete this rule?"),
        "text": in_short(rule),
        "consequences": [
            _("Whom it brought in, and no other rule does, leaves the team at their next sign-in."),
            _("Until then they stay; remove them under Members to end it at once."),
        ],
        "form": form,
        "cancel": reverse("access:sign-on", args=[request.team.slug]),
        "crumbs": _crumbs(request),
    }
    return render(request, "ui/confirm_page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@OWNERS
def try_out(request: TeamRequest) -> HttpResponse:
    """Which rule would count for somebody of whom the provider says this; changes nothing."""
    form = TryForm(request.POST or None)
    context = {"form": form, "tried": False}
    if request.method == "POST" and form.is_valid():
        provider = provider_of(request)
        verified = provider.app.settings["email_verified_claim"] if provider else "email_verified"
        identity = Identity.of("", form.cleaned_data["claims"], verified_claim=verified)
        rule = first_fit(_rules(request), identity)
        context |= {
            "tried": True,
            "email": identity.email,
            "verified_claim": verified,
            "rule": rule,
            "short": in_short(rule) if rule else "",
            "scope": in_words(rule.own_scope, connection_names(request.team)) if rule else "",
        }
    return render(request, "access/sign_on/try.html", context, status=422 if form.errors else 200)


def _form_page(request: TeamRequest, form: RuleForm, title: str) -> HttpResponse:
    context = {
        "title": title,
        "form": form,
        "cancel": reverse("access:sign-on", args=[request.team.slug]),
        "crumbs": _crumbs(request),
    }
    return render(request, "access/sign_on/rule.html", context, status=422 if form.errors else 200)


def _crumbs(request: TeamRequest) -> list[tuple[str, str]]:
    return [(_("Single sign-on"), reverse("access:sign-on", args=[request.team.slug]))]


def _rules(request: TeamRequest) -> list[SignOnRule]:
    found = list(request.team.sign_on_rules.all())
    for rule in found:
        rule.team = request.team  # whose roles were read once
    return found


def _rule(request: TeamRequest, pk: int) -> SignOnRule:
    found = get_object_or_404(request.team.sign_on_rules, pk=pk)
    found.team = request.team
    return found
