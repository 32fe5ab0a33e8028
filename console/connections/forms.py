"""The form of a connection: it tries the keys before it saves them, and never sends a secret back to the browser."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.access.encryption import Undecryptable
from console.access.teams import Actor
from console.cloud.errors import InvalidParameter
from console.connections import endpoints
from console.connections.endpoints import EndpointRefused
from console.connections.models import Connection, validate_connection_slug
from console.connections.probe import Finding, recorded_probe

REGIONS = (
    ("cn-shanghai", _("China (Shanghai)")),
    ("ap-southeast-1", _("Singapore")),
    ("ap-northeast-1", _("Japan (Tokyo)")),
    ("us-west-1", _("US (Silicon Valley)")),
    ("us-east-1", _("US (Virginia)")),
    ("eu-central-1", _("Germany (Frankfurt)")),
)
SECRETS = ("access_key_secret", "security_token")


def changed_meanwhile() -> forms.ValidationError:
    """What is said when saving would take back what somebody else did."""
    return forms.ValidationError(
        _("Somebody else changed this connection meanwhile. Open the page again to see how it is now."),
        code="changed",
    )


def _called(endpoint: str, region: str) -> str:
    """The address that is called, as `endpoints.demand` has it. Raises ValidationError with what is wrong with it."""
    try:
        return endpoints.demand(endpoint, region)
    except InvalidParameter as error:
        if "@" in endpoint:
            raise forms.ValidationError(_("Leave out the user name and password.")) from error
        raise forms.ValidationError(
            _("Enter an address like https://iot.cn-shanghai.aliyuncs.com, without a path.")
        ) from error
    except EndpointRefused as error:
        raise forms.ValidationError(_(endpoints.REFUSED)) from error


class ConnectionForm(forms.ModelForm[Connection]):
    """Creates or edits a connection. Valid only when the platform accepts the keys (`finding` says what it did not)."""

    access_key_secret = forms.CharField(
        label=_("AccessKey secret"),
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    security_token = forms.CharField(
        label=_("STS token"),
        max_length=4096,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text=_("Only for temporary keys."),
    )
    forget_token = forms.BooleanField(label=_("Remove the STS token that is stored"), required=False)
    untested = forms.BooleanField(
        label=_("Save even though the test failed"),
        required=False,
        help_text=_("For keys or an address that will work later."),
    )

    # When the connection was last changed, as the page showed it.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    field_order = (
        "name",
        "access_key_id",
        "access_key_secret",
        "region",
        "instance_id",
        "endpoint",
        "security_token",
        "forget_token",
        "slug",
    )

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
            "slug": _("In the addresses of this connection's pages: small letters, digits and hyphens."),
            "instance_id": _(
                "Of an Enterprise Edition instance, as on its overview page. Empty for the public instance."
            ),
            "endpoint": _("Only where the platform is not reached at the region's own address."),
            "access_key_id": _(
                "Of a RAM user with access to IoT Platform, better than of the account itself."
            ),
        }

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        self.finding: Finding | None = None
        self.instance.team = actor.membership.team
        self._had = {name: bool(self.instance.__dict__.get(name)) for name in SECRETS}
        self.fields["region"].widget = forms.TextInput(attrs={"list": "regions", "autocomplete": "off"})
        self.fields["slug"].required = False
        self.fields["access_key_id"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        if self.instance.pk:
            self.fields["access_key_secret"].required = False
            self.fields["access_key_secret"].help_text = _("Stored encrypted. Leave empty to keep it.")
            self.fields["security_token"].help_text = _("Only for temporary keys. Leave empty to keep it.")
            # Renaming would break every address people have kept.
            del self.fields["slug"]
            self.fields["seen"].initial = self.instance.updated_at.isoformat()
        else:
            del self.fields["seen"]
        if "security_token" not in self._stored():
            del self.fields["forget_token"]
        if not self.is_bound:
            del self.fields["untested"]

    def _stored(self) -> set[str]:
        """The secrets that the saved connection has, readable or not."""
        return {name for name in SECRETS if self.instance.pk and self._had[name]}

    def clean_slug(self) -> str:
        """The short name, made from the name when it is left empty."""
        slug = self.cleaned_data["slug"].lower() or slugify(self.cleaned_data.get("name", ""))[:40] or "main"
        validate_connection_slug(slug)
        if Connection.objects.for_team(self.actor.membership.team).filter(slug=slug).exists():
            raise forms.ValidationError(_("The team has a connection of this short name already."))
        return str(slug)

    def clean_endpoint(self) -> str:
        """The address as it will be called: only one that CLOUD_ENDPOINTS has."""
        text = self.cleaned_data["endpoint"].strip()
        return _called(text, "") if text else ""

    def clean_region(self) -> str:
        """The region, which becomes part of a host name: letters, digits and hyphens."""
        region = str(self.cleaned_data["region"]).strip().lower()
        if not region or not all(c.isascii() and (c.isalnum() or c == "-") for c in region):
            raise forms.ValidationError(_("Enter a region's ID like cn-shanghai."))
        return region

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("seen") and values["seen"] != self.instance.updated_at.isoformat():
            raise changed_meanwhile()
        if not values.get("endpoint") and values.get("region") and "endpoint" not in self.errors:
            try:
                _called("", values["region"])
            except forms.ValidationError as error:
                self.add_error("region", error)
        stays = "security_token" in self._stored() and not (
            values.get("security_token") or values.get("forget_token")
        )
        if stays and {"endpoint", "region"} & set(self.changed_data):
            # The token travels with every call: it must not follow the connection to an address it was not typed for.
            self.add_error("security_token", _("The address changed: enter the token again, or remove it."))
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own seam: the instance is filled and checked here
        for name in SECRETS:
            # Left empty: what is stored stays, even where it cannot be read any more.
            if self.cleaned_data.get(name):
                setattr(self.instance, name, self.cleaned_data[name])
        if self.cleaned_data.get("forget_token") and not self.cleaned_data.get("security_token"):
            self.instance.security_token = ""
        if not self.errors:
            self._test()

    def _test(self) -> None:
        try:
            self.finding = recorded_probe(self.actor, self.instance)
        except Undecryptable:
            text = _(
                "What is stored cannot be read any more: its key is missing on this server. Enter it again."
            )
            self.add_error("access_key_secret", text)
            return
        if self.finding is None or self.cleaned_data.get("untested"):
            return
        error = self.finding.error
        details = error.code
        if error.request_id:
            details = gettext("%(code)s, request %(id)s") % {"code": error.code, "id": error.request_id}
        field = self.finding.field if self.finding.field in self.fields else None
        self.add_error(field, f"{self.finding.text} ({details})")
