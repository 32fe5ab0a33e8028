"""Forms of the pages of a team."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.validators import MaxValueValidator, MinValueValidator
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.accounts.approval_rules import TeamRule, read_setting, rules_by_field
from console.accounts.models import Grant, Team, User
from console.accounts.roles import OWNER, Role
from console.accounts.scope import AccessScope
from console.sign_in.passwords import NewPasswordInput, describe_password_rules
from console.teams.team_settings import SHORT_NAME_NOT_AVAILABLE

_MAX_LIMIT = 2_147_483_647  # of an integer column
SCOPE_CHOICES = [
    ("all", _("Entire team")),
    ("part", _("Only some connections, products or device groups")),
]


def role_choices(roles: Sequence[Role]) -> list[tuple[str, SafeString]]:
    """Return the roles with their descriptions, as choices for radio buttons."""
    return [
        (role.slug, format_html('{}<span class="form-hint">{}</span>', role.label, role.summary))
        for role in roles
    ]


# The characters of a ProductKey or a GroupId.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_KEYS = 200


class KeysWidget(forms.Textarea):
    """Keys, one per line. static/teams/keys.js turns it into a list of chips with a search in `data-urls`, one per connection.

    The URLs return `<option>`s (`explorer:suggest`): what the platform returns to the present user.
    """

    def __init__(self) -> None:
        # The texts of keys.js are here because they are translated here.
        texts = {
            "data-search": _("Search by name, or enter a key"),
            "data-remove": _("Remove"),
            "data-none": _("No matches. Enter the full key and press Enter."),
            "data-unknown": _("No product or group in the selected connections has the key %s."),
            "data-wrong": _("Use only letters, digits, - and _ in a key."),
        }
        plain = {"rows": 3, "spellcheck": "false", "autocapitalize": "off", "data-keys": ""}
        super().__init__(attrs=plain | texts)


class KeysField(forms.CharField):
    """Keys of products or groups, separated by commas or white space. The cleaned value is a frozenset."""

    widget = KeysWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(sorted(value))

    def clean(self, value: Any) -> Any:
        keys = frozenset(re.split(r"[\s,;]+", super().clean(value))) - {""}
        invalid = sorted(key for key in keys if not _KEY.fullmatch(key))
        if invalid:
            raise forms.ValidationError(
                _("Invalid key: %(key)s. Use up to 64 letters, digits, - and _."),
                params={"key": invalid[0][:80]},
                code="key",
            )
        if len(keys) > _MAX_KEYS:
            raise forms.ValidationError(_("Enter at most %(most)d keys."), params={"most": _MAX_KEYS})
        return keys


GRANT_FIELDS = ("role", "scope", "connection_choice", "connections", "products", "groups")
"""The order of the fields of GrantForm."""


def build_name_urls(team: Team, connections: Iterable[Any], kind: str) -> str:
    """Return the addresses at which a script finds the names of keys, as JSON by connection. `kind`: "products" or "groups"."""
    return json.dumps(
        {c.pk: reverse("explorer:suggest", args=[team.slug, c.slug, kind]) for c in connections}
    )


class GrantForm(forms.Form):
    """A role of the team and its access scope. `grant` is the grant to edit.

    `roles` are the roles to choose from, `connections` the connections (by default all of the team's). Whatever `grant` names
    that no longer exists is kept until a user removes it, so that an access scope never grows by itself.
    """

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)
    scope = forms.ChoiceField(
        label=_("Access scope"),
        widget=forms.RadioSelect,
        choices=SCOPE_CHOICES,
        initial="all",
        required=False,
    )
    connection_choice = forms.ChoiceField(
        label=_("Connections"),
        widget=forms.RadioSelect,
        choices=[
            ("all", _("All connections, including new ones")),
            ("some", _("Only selected connections")),
        ],
        initial="all",
        required=False,
    )
    connections = forms.TypedMultipleChoiceField(
        label=_("Selected connections"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    products = KeysField(
        label=_("Products"),
        required=False,
        help_text=_("Includes the devices of these products. Separate ProductKeys with spaces."),
    )
    groups = KeysField(
        label=_("Device groups"),
        required=False,
        help_text=_("Includes devices in these groups and their subgroups. Separate group IDs with spaces."),
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
        initial = {
            "role": grant.role_slug if grant else None,
            "scope": "part" if access_scope else "all",
            "connection_choice": "some" if access_scope.connections else "all",
            "connections": sorted(access_scope.connections),
            "products": access_scope.products,
            "groups": access_scope.groups,
        }
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        connections = list(team.connections.all()) if connections is None else connections
        existing = {connection.pk for connection in connections}
        self.fields["role"].choices = role_choices(roles)  # type: ignore[attr-defined]
        self.fields["connections"].choices = [  # type: ignore[attr-defined]
            *((connection.pk, connection.name) for connection in connections),
            *((pk, _("Deleted connection")) for pk in sorted(access_scope.connections - existing)),
        ]
        for name in ("products", "groups"):
            self.fields[name].widget.attrs["data-urls"] = build_name_urls(team, connections, name)

    @property
    def access_scope(self) -> AccessScope:
        """The selected scope. Available once the form is valid."""
        values = self.cleaned_data
        if values["scope"] != "part":
            return AccessScope()
        connections = () if values["connection_choice"] == "all" else values["connections"]
        return AccessScope(frozenset(connections), values["products"], values["groups"])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        if values["scope"] == "part" and values["connection_choice"] == "some" and not values["connections"]:
            self.add_error("connections", _("Select at least one connection."))
        elif values["scope"] == "part" and not self.access_scope:
            raise forms.ValidationError(
                _("Select at least one connection, product or device group, or the entire team."),
                code="scope",
            )
        if values["role"] == OWNER and self.access_scope:
            self.add_error("scope", _("Owners always have access to the entire team."))
        return values


class InvitationForm(GrantForm):
    """The email address and name of a user to invite, with their role and scope."""

    email = forms.EmailField(
        label=_("Email address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=80,
        required=False,
        help_text=_("Used in the greeting of the invitation. The user can change it."),
    )
    field_order = ("email", "name", *GRANT_FIELDS)


class JoinForm(forms.Form):
    """The name and password of a new user. `email` is the invited address: a password similar to it is refused."""

    name = forms.CharField(label=pgettext_lazy("of a person", "Name"), max_length=80)
    password1 = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=NewPasswordInput(),
    )
    password2 = forms.CharField(
        label=_("Confirm password"),
        strip=False,
        error_messages={"required": _("Enter the password again.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, email: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email
        self.fields["password1"].help_text = describe_password_rules()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        password = values.get("password1")
        if password and "password2" in values and values["password2"] != password:
            self.add_error("password2", _("The passwords do not match."))
        elif password:
            try:
                validate_password(password, User(email=self.email, name=values.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return values


class TeamForm(forms.ModelForm[Team]):
    class Meta:
        model = Team
        fields: ClassVar[list[str]] = ["name", "slug"]
        help_texts: ClassVar = {
            "slug": _("Used in URLs. Lowercase letters, digits, - and _. Cannot be changed later.")
        }
        error_messages: ClassVar = {
            "slug": {
                "invalid": _(
                    "Use only the letters a to z, digits, - and _, and start with a letter or digit. For example: water-works"
                ),
                "reserved": _(SHORT_NAME_NOT_AVAILABLE),
            }
        }

    def clean_slug(self) -> str:
        """Return the short name in lower case. Whether another team has it is checked when the team is created."""
        slug: str = self.cleaned_data["slug"]
        return slug.lower()

    def validate_unique(self) -> None:
        """Leave this to the database, so that short names in use and reserved ones get the same error."""


class TeamSettingsForm(forms.ModelForm[Team]):
    """The settings of a team. Only changed fields are saved, so that two owners do not overwrite each other's changes."""

    class Meta:
        model = Team
        fields: ClassVar[list[str]] = [
            "name",
            "second_factor_required",
            "audit_keep_days",
            "approval_hours",
        ]
        help_texts: ClassVar = {
            "second_factor_required": _(
                "Members must set up a second factor before they can access the team."
            ),
            "audit_keep_days": _("Older records are permanently deleted. 0: records are kept forever."),
            "approval_hours": _("Expired requests cannot be approved. Submit a new request instead."),
        }
        error_messages: ClassVar = {
            "audit_keep_days": {"required": _("Enter a number of days.")},
            "approval_hours": {"required": _("Enter a number of hours.")},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("audit_keep_days", "approval_hours"):
            self.fields[name].min_value, self.fields[name].max_value = _read_range(name)  # type: ignore[attr-defined]
        for name, rule in rules_by_field().items():
            self.fields[name] = _build_rule_field(rule)
            self.initial[name] = read_setting(self.instance, rule)
        self.fields["approval_hours"] = self.fields.pop("approval_hours")  # after the rules
        if settings.REQUIRE_SECOND_FACTOR:
            factor = self.fields["second_factor_required"]
            factor.disabled, self.initial["second_factor_required"] = True, True
            factor.help_text = _("The server administrator requires this for all teams of this console.")
        for field in self.fields.values():
            field.show_hidden_initial = True  # to detect which fields the user changed

    @property
    def initial_inputs(self) -> list[SafeString]:
        """The hidden inputs with the values that the user saw."""
        return [bound.as_hidden(only_initial=True) for bound in self]

    @property
    def general_fields(self) -> list[forms.BoundField]:
        """The fields about the team itself."""
        return [bound for bound in self if not bound.name.startswith("appro")]

    @property
    def approval_fields(self) -> list[forms.BoundField]:
        """The fields about operations that require approval."""
        return [bound for bound in self if bound.name.startswith("appro")]

    @property
    def changes(self) -> dict[str, Any]:
        """The new values of the changed fields, by name."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


def _read_range(name: str) -> tuple[int, int]:
    """Return the smallest and the largest value of a setting, which the form shows and the model checks."""
    validators = Team._meta.get_field(name).validators  # type: ignore[union-attr]
    lowest = [one.limit_value for one in validators if isinstance(one, MinValueValidator)]
    highest = [one.limit_value for one in validators if isinstance(one, MaxValueValidator)]
    return max(lowest), min(highest)


def _build_rule_field(rule: TeamRule) -> forms.Field:
    """Return the field for a team's setting of an approval rule: a number for a rule with a limit, else a check box."""
    texts: dict[str, Any] = {
        "label": capfirst(str(rule.label)),
        "help_text": rule.help_text,
        "required": False,
    }
    if rule.has_limit:
        return forms.IntegerField(min_value=0, max_value=_MAX_LIMIT, **texts)
    return forms.BooleanField(**texts)
