"""Forms of the team's and the person's own pages."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from console.access.models import Grant, Team, User
from console.access.roles import OWNER, Role
from console.access.scope import AccessScope

REACHES = [("all", _("The whole team")), ("part", _("Only some connections, products or device groups"))]


def role_choices(roles: Sequence[Role]) -> list[tuple[str, SafeString]]:
    """The roles with what each may do, for radio buttons."""
    return [
        (role.slug, format_html('{}<span class="form-hint">{}</span>', role.label, role.summary))
        for role in roles
    ]


# What a ProductKey or a GroupId is written with: whatever else is typed is a mistake.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_KEYS = 200


class KeysWidget(forms.Textarea):
    """Keys, one a line; static/access/keys.js makes it a list of chips with a search over `urls`, one a connection.

    `urls` answer with `<option>`s (`explorer:suggest`): what the cloud knows, asked as the person who looks.
    """

    def __init__(self) -> None:
        # The words of keys.js stand here, where they are translated.
        words = {
            "data-search": _("Search by name, or type a key"),
            "data-remove": _("Remove"),
            "data-none": _("Nothing known fits. Type the whole key and press Enter."),
            "data-wrong": _("A key has letters, digits, - and _ only."),
        }
        plain = {"rows": 3, "spellcheck": "false", "autocapitalize": "off", "data-keys": ""}
        super().__init__(attrs=plain | words)


class KeysField(forms.CharField):
    """Keys of products or groups, separated by commas or white space; cleaned to a frozenset."""

    widget = KeysWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(sorted(value))

    def clean(self, value: Any) -> Any:
        keys = frozenset(re.split(r"[\s,;]+", super().clean(value))) - {""}
        wrong = sorted(key for key in keys if not _KEY.fullmatch(key))
        if wrong:
            raise forms.ValidationError(_("Not a key: %(key)s"), params={"key": wrong[0][:80]}, code="key")
        if len(keys) > _MOST_KEYS:
            raise forms.ValidationError(_("At most %(most)d can be named."), params={"most": _MOST_KEYS})
        return keys


class GrantForm(forms.Form):
    """A role of the team, and how far it reaches. `grant` is what is edited.

    `roles` are those that may be given, `connections` (all of the team's, unless they are said) those to choose from. What
    `grant` names and no longer exists stays in it until somebody takes it out: a access_scope never grows by itself.
    """

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)
    scope = forms.ChoiceField(
        label=_("Reach"), widget=forms.RadioSelect, choices=REACHES, initial="all", required=False
    )
    connections = forms.TypedMultipleChoiceField(
        label=_("Connections"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all of them."),
    )
    products = KeysField(
        label=_("Products"),
        required=False,
        help_text=_("Their devices are within reach. Keys, separated by spaces."),
    )
    groups = KeysField(
        label=_("Device groups"),
        required=False,
        help_text=_(
            "Their devices are within scope, and those of the groups below them. IDs, separated by spaces."
        ),
    )

    def __init__(
        self,
        team: Team,
        roles: Sequence[Role],
        *args: Any,
        grant: Grant | None = None,
        connections: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        access_scope = grant.own_scope if grant else AccessScope()
        present = {
            "role": grant.role_slug if grant else None,
            "scope": "part" if access_scope else "all",
            "connections": sorted(access_scope.connections),
            "products": access_scope.products,
            "groups": access_scope.groups,
        }
        kwargs["initial"] = present | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        connections = list(team.connections.all()) if connections is None else connections
        known = {connection.pk for connection in connections}
        self.fields["role"].choices = role_choices(roles)  # type: ignore[attr-defined]
        self.fields["connections"].choices = [  # type: ignore[attr-defined]
            *((connection.pk, connection.name) for connection in connections),
            *((pk, _("A connection that was deleted")) for pk in sorted(access_scope.connections - known)),
        ]
        for name in ("products", "groups"):
            urls = {c.pk: reverse("explorer:suggest", args=[team.slug, c.slug, name]) for c in connections}
            self.fields[name].widget.attrs["data-urls"] = json.dumps(urls)

    @property
    def access_scope(self) -> AccessScope:
        """What was chosen, once the form is valid."""
        values = self.cleaned_data
        if values["scope"] != "part":
            return AccessScope()
        return AccessScope(frozenset(values["connections"]), values["products"], values["groups"])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        if values["scope"] == "part" and not self.access_scope:
            raise forms.ValidationError(
                _("Choose at least one connection, product or device group, or the whole team."), code="scope"
            )
        if values["role"] == OWNER and self.access_scope:
            self.add_error("scope", _("An owner always has the whole team."))
        return values


class InvitationForm(GrantForm):
    """Whom to invite, as what."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=80,
        required=False,
        help_text=_("For the greeting. The person can change it."),
    )
    field_order = ["email", "name", "role", "scope", "connections", "products", "groups"]  # noqa: RUF012 - Django reads a list


class JoinForm(forms.Form):
    """A new person's name and password. `email` is the invited address: a password like it is refused."""

    name = forms.CharField(label=pgettext_lazy("of a person", "Name"), max_length=80)
    password1 = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label=_("Password (again)"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, email: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email
        self.fields["password1"].help_text = " ".join(map(str, password_validators_help_texts()))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        password = values.get("password1")
        if password and "password2" in values and values["password2"] != password:
            self.add_error("password2", _("The two passwords differ."))
        elif password:
            try:
                validate_password(password, User(email=self.email, name=values.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return values


class TeamForm(forms.ModelForm[Team]):
    """A new team."""

    class Meta:
        model = Team
        fields: ClassVar[list[str]] = ["name", "slug"]
        help_texts: ClassVar = {"slug": _("Addresses begin with it. It is not changed later.")}

    def clean_slug(self) -> str:
        """The short name; whether another team has it is only known when it is made."""
        slug: str = self.cleaned_data["slug"]
        return slug.lower()

    def validate_unique(self) -> None:
        """Left to the database, so that a taken and a reserved short name get the same answer."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # ModelForm's own step, where the model's validators run
        if "slug" in self.errors:
            self.errors["slug"] = self.error_class([gettext("This short name is not available.")])


class TeamSettingsForm(forms.ModelForm[Team]):
    """The rules of a team. Only what a person changed is written, so two owners do not undo each other's changes."""

    class Meta:
        model = Team
        fields: ClassVar[list[str]] = [
            "name",
            "second_factor_required",
            "audit_keep_days",
            "approve_product_deletion",
            "approve_batch_over",
            "approve_deletion_over",
            "approval_hours",
        ]
        help_texts: ClassVar = {
            "second_factor_required": _(
                "Members without one are led to set it up before they see anything of the team."
            ),
            "audit_keep_days": _("0: for ever. Older records are deleted for good."),
            "approve_batch_over": _("Empty: nobody is asked. 0: every batch."),
            "approve_deletion_over": _("Empty: nobody is asked. 0: every deletion."),
            "approval_hours": _("Then it lapses and has to be made anew."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True  # what the person saw, to tell what they changed

    @property
    def seen(self) -> list[SafeString]:
        """The hidden fields that say what the person saw."""
        return [bound.as_hidden(only_initial=True) for bound in self]

    @property
    def rules(self) -> list[forms.BoundField]:
        """The fields about the team itself."""
        return [bound for bound in self if not bound.name.startswith("appro")]

    @property
    def approvals(self) -> list[forms.BoundField]:
        """The fields about what a second person must agree to."""
        return [bound for bound in self if bound.name.startswith("appro")]

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed, by field."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class ProfileForm(forms.ModelForm[User]):
    """What people set for themselves."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("Times are shown in this zone; hover for UTC.")
    )

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["name", "time_zone", "language", "theme"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = _zones()  # type: ignore[attr-defined]


@cache
def _zones() -> tuple[tuple[str, Any], ...]:
    """The time zones by region, the plain one first. Read once: finding them looks through a folder of six hundred files."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for zone in sorted(zoneinfo.available_timezones()):
        region, slash, place = zone.partition("/")
        if slash and region not in {
            "Etc",
            "posix",
            "right",
            "SystemV",
            "US",
            "Canada",
            "Brazil",
            "Chile",
            "Mexico",
        }:
            regions.setdefault(region, []).append((zone, place.replace("_", " ")))
    return ("UTC", "UTC"), *regions.items()
