"""The form of a connection. It tests the keys before it saves them, and never sends a secret back to the browser."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.db import models
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import Undecryptable
from console.accounts.names import fold_name
from console.connections import endpoints
from console.connections.endpoints import EndpointRefused
from console.connections.models import Connection, validate_connection_slug
from console.connections.probe import ProbeFailure, probe_and_record
from console.connections.regions import REGIONS, name_region
from console.teams.changes import Actor
from console.ui.forms import Sections
from iot_client.errors import InvalidParameter

_OTHER = "other"
SECRETS = ("access_key_secret", "security_token")
# A response contains no secret. After an error the browser puts back what the user typed (static/ui/forms.js).
_SECRET_ATTRIBUTES = {"autocomplete": "new-password", "spellcheck": "false", "data-keep-secret": ""}


def edit_conflict() -> forms.ValidationError:
    """The error when saving would overwrite another user's change."""
    return forms.ValidationError(
        _("Another user changed this connection. Reload the page to see the current values."),
        code="changed",
    )


def _check_region_id(region: str) -> None:
    """Raises ValidationError unless the region can be part of a host name: letters, digits and hyphens."""
    if not region or not all(c.isascii() and (c.isalnum() or c == "-") for c in region):
        raise forms.ValidationError(_("Enter a region ID, for example cn-shanghai."))


def _check_address(endpoint: str, region: str) -> str:
    """Returns the normalized address, as `endpoints.check_endpoint` does. Raises ValidationError if it is invalid or not allowed."""
    try:
        return endpoints.check_endpoint(endpoint, region)
    except InvalidParameter as error:
        if "@" in endpoint:
            raise forms.ValidationError(_("Remove the user name and password from the address.")) from error
        raise forms.ValidationError(
            _("Enter an address without a path, for example https://iot.cn-shanghai.aliyuncs.com.")
        ) from error
    except EndpointRefused as error:
        raise forms.ValidationError(_(endpoints.REFUSED)) from error


class ConnectionForm(Sections, forms.ModelForm[Connection]):
    """Creates or edits a connection. It is valid only if the platform accepts the keys; otherwise `failure` says why.

    The region is selected, or entered as `region_id` if "Other" is selected. `cleaned_data["region"]` contains it in both cases.
    """

    region = forms.CharField(
        label=_("Region"),
        max_length=40,
        widget=forms.Select(),
    )
    region_id = forms.CharField(
        label=_("Region ID"),
        max_length=40,
        required=False,
        help_text=_("For example cn-beijing."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "data-needed": "", "data-for-other": ""}
        ),
    )

    access_key_secret = forms.CharField(
        label=_("AccessKey secret"),
        max_length=255,
        widget=forms.PasswordInput(attrs=_SECRET_ATTRIBUTES),
    )
    security_token = forms.CharField(
        label=_("STS token"),
        max_length=4096,
        required=False,
        widget=forms.PasswordInput(attrs=_SECRET_ATTRIBUTES),
        help_text=_("Required for temporary keys only."),
    )
    remove_token = forms.BooleanField(label=_("Remove the stored STS token"), required=False)
    same_account = forms.BooleanField(
        label=_("The new AccessKey belongs to the same cloud account"),
        required=False,
        help_text=_(
            "If selected, unfinished jobs continue with the new key, and charts keep their history. Otherwise, the jobs stop and"
            " the history begins again. Approval of jobs must be requested again."
        ),
    )
    skip_test = forms.BooleanField(
        label=_("Save although the test failed"),
        required=False,
        help_text=_("For example, if the keys or the address will work later."),
    )

    # The `updated_at` of the connection that the page showed.
    shown_version = forms.CharField(required=False, widget=forms.HiddenInput)

    sections = (
        (
            "",
            (
                "name",
                "slug",
                "region",
                "region_id",
                "access_key_id",
                "access_key_secret",
                "same_account",
                "skip_test",
            ),
        ),
    )
    advanced = ("endpoint", "instance_id", "security_token", "remove_token")

    class Meta:
        model = Connection
        fields: ClassVar[list[str]] = [
            "name",
            "slug",
            "region",
            "instance_id",
            "endpoint",
            "access_key_id",
        ]
        help_texts: ClassVar[dict[str, Any]] = {
            "slug": _(
                "Used in URLs. Lowercase letters, digits and hyphens. Leave empty to generate it from the name."
            ),
            "instance_id": _(
                "ID of an Enterprise Edition instance, shown on its overview page. Leave empty for the public instance."
            ),
            "endpoint": _("Leave empty to use the default endpoint of the region."),
            "access_key_id": _(
                "Use the AccessKey of a RAM user with access to IoT Platform. Do not use the AccessKey of the Alibaba Cloud account."
            ),
        }

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        regions = [(id_, name_region(id_)) for id_ in REGIONS]
        self.fields["region"].widget.choices = [*regions, (_OTHER, _("Other"))]  # type: ignore[attr-defined]
        self.failure: ProbeFailure | None = None
        self.instance.team = actor.membership.team
        self._stored_values = {name: bool(self.instance.__dict__.get(name)) for name in SECRETS}
        self._stored_account = self.instance.account
        self.fields["slug"].required = False
        self.fields["access_key_id"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        if self.instance.pk:
            self.fields["access_key_secret"].required = False
            self.fields["access_key_secret"].help_text = _(
                "Stored encrypted. Leave empty to keep the current secret."
            )
            self.fields["security_token"].help_text = _(
                "Required for temporary keys only. Leave empty to keep the current token."
            )
            # A new slug would break saved links.
            del self.fields["slug"]
            self.fields["shown_version"].initial = self.instance.updated_at.isoformat()
        else:
            del self.fields["shown_version"]
            del self.fields["same_account"]
        if "security_token" not in self._stored_secrets():
            del self.fields["remove_token"]
        if not self.is_bound:
            del self.fields["skip_test"]

    def _stored_secrets(self) -> set[str]:
        """The names of the secrets that the saved connection has, readable or not."""
        return {name for name in SECRETS if self.instance.pk and self._stored_values[name]}

    def _find_unfinished_jobs(self) -> models.QuerySet[Any]:
        """The jobs of the connection's stored account that have not finished, drafts too."""
        return self.instance.jobs.filter(finished_at__isnull=True, account=self._stored_account)

    def keep_jobs(self) -> int:
        """Let unfinished jobs continue with the new AccessKey if the user said that it belongs to the same account. Returns their
        number. To be called in the transaction that saves the connection."""
        if not self._keeps_account:
            return 0
        return int(self._find_unfinished_jobs().update(account=self.instance.account))

    @property
    def _keeps_account(self) -> bool:
        """Whether the connection leads to the same fleet, although its AccessKey may be new."""
        address = {"region", "instance_id", "endpoint"}
        return bool(self.cleaned_data.get("same_account")) and not address & set(self.changed_data)

    def clean_slug(self) -> str:
        """Returns the short name; if empty, one made from the name."""
        slug = self.cleaned_data["slug"].lower() or slugify(self.cleaned_data.get("name", ""))[:40] or "main"
        validate_connection_slug(slug)
        if Connection.objects.for_team(self.actor.membership.team).filter(slug=slug).exists():
            raise forms.ValidationError(
                _("The team already has a connection with this short name. Enter another one.")
            )
        return str(slug)

    def clean_name(self) -> str:
        """Returns the name. Another connection of the team must not look the same: members choose the account by its name."""
        name = str(self.cleaned_data["name"])
        others = Connection.objects.for_team(self.actor.membership.team).exclude(pk=self.instance.pk)
        folded = fold_name(name)
        if "name" in self.changed_data:
            for other in others.values_list("name", flat=True):
                if fold_name(other) == folded:
                    text = _("This name is the same as “%(name)s”, or looks the same. Enter another name.")
                    raise forms.ValidationError(text, params={"name": other}, code="name")
        return name

    def clean_endpoint(self) -> str:
        """Returns the normalized address, which CLOUD_ENDPOINTS must list."""
        text = self.cleaned_data["endpoint"].strip()
        return _check_address(text, "") if text else ""

    def clean_region(self) -> str:
        """Returns the region that was selected or entered."""
        region = self._submitted_region
        if not self._is_other_region:
            _check_region_id(region)
        return region or _OTHER  # then `region_id` has the error

    def clean_region_id(self) -> str:
        """Checks the region that was entered."""
        if self._is_other_region:
            _check_region_id(self._submitted_region)
        return ""

    @property
    def _is_other_region(self) -> bool:
        return bool(self["region"].data == _OTHER)

    @property
    def _region_field(self) -> str:
        return "region_id" if self._is_other_region else "region"

    @property
    def _submitted_region(self) -> str:
        return str(self[self._region_field].data or "").strip().lower()

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        """Returns the initial value of a field. A stored region that the list does not contain is shown in `region_id`."""
        region = self.initial.get("region", "")
        if field_name in {"region", "region_id"} and region and region not in REGIONS:
            return region if field_name == "region_id" else _OTHER
        return super().get_initial_for_field(field, field_name)

    @cached_property
    def changed_data(self) -> list[str]:
        """The names of the fields whose values changed; "region" if it was selected or entered."""
        names = [name for name in super().changed_data if name not in {"region", "region_id"}]
        return [*names, "region"] if self._submitted_region != self.initial.get("region") else names

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("shown_version") and values["shown_version"] != self.instance.updated_at.isoformat():
            raise edit_conflict()
        if (
            not values.get("endpoint")
            and values.get("region")
            and not {"endpoint", "region_id"} & set(self.errors)
        ):
            try:
                _check_address("", values["region"])
            except forms.ValidationError as error:
                self.add_error(self._region_field, error)
        keeps_token = "security_token" in self._stored_secrets() and not (
            values.get("security_token") or values.get("remove_token")
        )
        if keeps_token and {"endpoint", "region"} & set(self.changed_data):
            # Every call contains the token. It must not be sent to an address that it was not entered for.
            self.add_error("security_token", _("The address changed. Enter the token again, or remove it."))
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django fills and checks the instance here
        for name in SECRETS:
            # An empty field keeps the stored secret, even if it can no longer be decrypted.
            if self.cleaned_data.get(name):
                setattr(self.instance, name, self.cleaned_data[name])
        if self.cleaned_data.get("remove_token") and not self.cleaned_data.get("security_token"):
            self.instance.security_token = ""
        if self.instance.pk and self.instance.account != self._stored_account:
            first = self.instance.first_account or self._stored_account
            self.instance.first_account = first if self._keeps_account else ""
        if not self.errors:
            self._test_keys()

    def _test_keys(self) -> None:
        try:
            self.failure = probe_and_record(self.actor, self.instance)
        except Undecryptable:
            text = _(
                "The stored secret cannot be decrypted because its encryption key is missing on this server. Enter it again."
            )
            self.add_error("access_key_secret", text)
            return
        if self.failure is None or self.cleaned_data.get("skip_test"):
            return
        error = self.failure.error
        details = error.code
        if error.request_id:
            details = gettext("%(code)s, request %(id)s") % {"code": error.code, "id": error.request_id}
        field = self.failure.field if self.failure.field in self.fields else None
        if field == "region":
            field = self._region_field
        parts = {"sentence": self.failure.text, "details": details}
        self.add_error(field, gettext("%(sentence)s (%(details)s)") % parts)
