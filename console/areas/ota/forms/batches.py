"""The forms of update batches: devices, schedule and update policy. Limits: CreateOTAStaticUpgradeJob,
CreateOTADynamicUpgradeJob, CreateOTAVerifyJob."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.areas.ota import api
from console.areas.ota.forms.lists import decode_text, parse_device_names, parse_versions
from console.areas.ota.forms.packages import PLAIN
from console.ui.forms import FileWidget

_TAG_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
_TIME_FORMAT = "%Y-%m-%dT%H:%M"
MIN_START_DELAY, MAX_START_DELAY = timedelta(minutes=5), timedelta(days=7)
MIN_DURATION, MAX_DURATION = timedelta(hours=1), timedelta(days=30)
_TARGETS = [
    ("ALL", _("All devices of the product")),
    ("GRAY", _("Percentage of devices")),
    ("SPECIFIC", _("Selected devices")),
    ("GROUP", _("Devices in a group")),
]
_RETRIES = [("", _("No retry")), ("1", _("Once")), ("2", _("Twice")), ("5", _("Five times"))]
_INTERVALS = [
    ("0", _("Immediately")),
    ("10", _("After 10 minutes")),
    ("30", _("After 30 minutes")),
    ("60", _("After 1 hour")),
    ("1440", _("After 1 day")),
]


class TimeField(forms.DateTimeField):
    """A date and time in the user's time zone, to the minute."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_TIME_FORMAT)
        super().__init__(input_formats=[_TIME_FORMAT], widget=widget, required=False, **options)


def lines_field(rows: int, **options: Any) -> forms.CharField:
    """Return a field for several short texts, one per line."""
    return forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": rows, **PLAIN}), **options)


def rate_field(maximum: int) -> forms.IntegerField:
    """Return the field for devices per minute. Empty: the platform uses the maximum."""
    return forms.IntegerField(
        label=_("Devices per minute"),
        required=False,
        min_value=10,
        max_value=maximum,
        widget=forms.NumberInput(attrs={"placeholder": maximum}),
        help_text=_(
            "Maximum number of devices that are notified per minute. Leave empty for the platform limit."
        ),
    )


class StrategyForm(forms.Form):
    """The update policy, common to static and dynamic batches."""

    rate = rate_field(10_000)
    retry_count = forms.ChoiceField(label=_("Retries"), required=False, choices=_RETRIES)
    retry_interval = forms.ChoiceField(
        label=_("Retry interval"), required=False, choices=_INTERVALS, initial="10"
    )
    timeout = forms.IntegerField(
        label=_("Timeout (minutes)"),
        required=False,
        min_value=1,
        max_value=1440,
        help_text=_(
            "Counted from the first progress report. After the timeout, the update fails and is not retried."
        ),
    )
    need_push = forms.BooleanField(
        label=_("Push to devices"),
        required=False,
        initial=True,
        help_text=_("If off, a device gets the update when it requests it."),
    )
    need_confirm = forms.BooleanField(
        label=_("Require confirmation"),
        required=False,
        help_text=_("Each update starts after you confirm it here or in your app."),
    )
    overwrite = forms.BooleanField(
        label=_("Overwrite pending updates"),
        required=False,
        help_text=_(
            "Cancels an earlier update of the device that has not started. If off, the earlier update runs first."
        ),
    )
    multi_module = forms.BooleanField(
        label=_("Update multiple modules"),
        required=False,
        help_text=_("For devices that support parallel module updates."),
    )
    protocol = forms.ChoiceField(
        label=_("Download protocol"), choices=[("HTTPS", "HTTPS"), ("MQTT", "MQTT")], initial="HTTPS"
    )
    tags = lines_field(
        2,
        label=_("Tags"),
        help_text=_(
            "key=value, one per line, up to 10. Devices receive the tags with the update notification."
        ),
    )

    def __init__(self, package: api.Package, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package

    def clean_tags(self) -> tuple[tuple[str, str], ...]:
        """Return the tags as (key, value). Raises ValidationError."""
        pairs = []
        for line in filter(None, map(str.strip, str(self.cleaned_data["tags"]).splitlines())):
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not _TAG_KEY.fullmatch(key) or not 1 <= len(value) <= 1024:
                raise forms.ValidationError(
                    _(
                        "“%(line)s” is not in the format key=value. A key has 1 to 30 letters, digits or periods, a value 1 to 1,024 characters."
                    ),
                    params={"line": line[:60]},
                )
            pairs.append((key, value))
        if len(pairs) > api.MAX_TAGS or len({key for key, _value in pairs}) < len(pairs):
            raise forms.ValidationError(_("Enter up to 10 tags with different keys."))
        if sum(len(key) + len(value) for key, value in pairs) > 4096:
            raise forms.ValidationError(_("The tags are too long. The limit is 4,096 characters in total."))
        return tuple(pairs)

    def clean(self) -> dict[str, Any]:
        """Check the rules between fields."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        timeout, interval = cleaned.get("timeout"), cleaned.get("retry_interval")
        if cleaned.get("retry_count") and timeout and interval and int(interval) >= timeout:
            self.add_error("retry_interval", _("The retry interval must be shorter than the timeout."))
        if cleaned.get("multi_module") and cleaned.get("overwrite"):
            self.add_error(
                "multi_module",
                _("You cannot use “Overwrite pending updates” and “Update multiple modules” together."),
            )
        if cleaned.get("protocol") == "MQTT" and (
            self.package.files or (self.package.size or 0) > api.MAX_MQTT_BYTES
        ):
            self.add_error(
                "protocol",
                _(
                    "MQTT supports only packages with a single file of up to 16 MB. Use HTTPS for this package."
                ),
            )
        return cleaned

    def build_strategy(self) -> api.Strategy:
        """Return the strategy. The form must be valid."""
        data = self.cleaned_data
        count = int(data["retry_count"]) if data["retry_count"] else None
        return api.Strategy(
            rate=data["rate"],
            retry_count=count,
            retry_interval=int(data["retry_interval"] or 0) if count else None,
            timeout=data["timeout"],
            overwrite=data["overwrite"],
            multi_module=data["multi_module"],
            need_push=data["need_push"],
            need_confirm=data["need_confirm"],
            protocol=data["protocol"],
            tags=data["tags"],
        )


class StaticBatchForm(StrategyForm):
    """A batch for the devices that exist now."""

    field_order = ("target",)

    target = forms.ChoiceField(
        label=pgettext_lazy("of a batch", "Target"), choices=_TARGETS, initial="ALL", widget=forms.RadioSelect
    )
    source_versions = lines_field(
        2,
        label=_("Source versions"),
        help_text=_("One per line, up to 10. Leave empty for any version."),
    )
    percent = forms.CharField(
        label=_("Percentage"),
        required=False,
        max_length=7,
        validators=[
            RegexValidator(
                r"^(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)\Z",
                _("Enter a number up to 100, with up to 3 decimal places."),
            )
        ],
        widget=forms.TextInput(
            attrs={**PLAIN, "inputmode": "decimal", "placeholder": "10", "data-needed": True}
        ),
        help_text=_("Rounded down to whole devices, at least 1."),
    )
    names = lines_field(
        6, label=_("Device names"), help_text=_("One name per line, or comma-separated. Up to 10,000 names.")
    )
    list_file = forms.FileField(
        label=_("Name list file"),
        required=False,
        widget=FileWidget(accept=".csv,.txt", max_bytes=api.MAX_LIST_BYTES),
        help_text=_("Text or CSV file with one name per row. Up to 10,000 names and 5 MB."),
    )
    group = forms.CharField(label=_("Group"), required=False, widget=forms.Select())
    start = TimeField(
        label=_("Start"),
        help_text=_(
            "Leave empty to start now, or choose a time 5 minutes to 7 days from now, in your time zone."
        ),
    )
    finish = TimeField(
        label=_("End"),
        help_text=_(
            "1 hour to 30 days after the start. Updates that are not finished by then are canceled. Requires a start time."
        ),
    )

    def __init__(
        self, package: api.Package, *args: Any, groups: Iterable[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(package, *args, **kwargs)
        self.set_group_choices(groups)
        if package.delta:
            field = self.fields["source_versions"]
            field.disabled, field.initial = True, package.source_version
            field.help_text = _("A delta package can update only this version.")

    def set_group_choices(self, groups: Iterable[tuple[str, str]]) -> None:
        """Set the groups to choose from, as (id, name). The selected group is kept."""
        choices = dict(groups)
        selected = str(self.data.get("group", "")) if self.is_bound else ""
        if selected and selected not in choices:
            choices[selected] = str(self.data.get("group_name", ""))[:30] or selected
        self.fields["group"].widget.choices = [("", _("Select a group")), *choices.items()]  # type: ignore[attr-defined]

    def clean_source_versions(self) -> tuple[str, ...]:
        """Return the versions without duplicates. Raises ValidationError."""
        return parse_versions(str(self.cleaned_data["source_versions"]))

    def clean_list_file(self) -> tuple[str, ...]:
        """Return the device names in the file. Raises ValidationError."""
        file: UploadedFile[bytes] | None = self.cleaned_data["list_file"]
        if file is None:
            return ()
        if (file.size or 0) > api.MAX_LIST_BYTES:
            raise forms.ValidationError(_("The file is too large. The limit is 5 MB."))
        names = parse_device_names(decode_text(file.read()))
        if not names:
            raise forms.ValidationError(_("The file contains no device names."))
        return names

    def clean_names(self) -> tuple[str, ...]:
        """Return the names in the text field. Raises ValidationError."""
        return parse_device_names(str(self.cleaned_data["names"]))

    def clean(self) -> dict[str, Any]:
        """Check the fields that the selected target requires, and the schedule."""
        cleaned = super().clean()
        target = cleaned.get("target")
        if target == "GRAY" and "percent" not in self.errors and not Decimal(cleaned.get("percent") or 0):
            self.add_error("percent", _("Enter a percentage greater than 0."))
        if target == "GROUP" and not cleaned.get("group"):
            self.add_error("group", _("Select a group."))
        if target == "SPECIFIC" and not {"names", "list_file"} & set(self.errors):
            names = dict.fromkeys([*cleaned.get("names", ()), *cleaned.get("list_file", ())])
            cleaned["all_names"] = tuple(names)
            if not names:
                self.add_error("names", _("Enter at least one device name, or choose a file."))
            elif len(names) > api.MAX_LISTED_NAMES:
                self.add_error("names", _("Too many device names. The limit is 10,000."))
        self._check_schedule(cleaned.get("start"), cleaned.get("finish"))
        return cleaned

    def _check_schedule(self, start: datetime | None, finish: datetime | None) -> None:
        now = timezone.now()
        if start and not now + MIN_START_DELAY <= start <= now + MAX_START_DELAY:
            self.add_error("start", _("The start must be 5 minutes to 7 days from now."))
        if finish and not start:
            self.add_error("finish", _("Set a start time before you set an end time."))
        elif start and finish and not start + MIN_DURATION <= finish <= start + MAX_DURATION:
            self.add_error("finish", _("The end must be 1 hour to 30 days after the start."))

    def build_target(self) -> api.BatchTarget:
        """Return the target devices. The form must be valid."""
        data = self.cleaned_data
        target = data["target"]
        return api.BatchTarget(
            selection=target,
            source_versions=data["source_versions"] if target in ("ALL", "GRAY") else (),
            names=data.get("all_names", ()) if target == "SPECIFIC" else (),
            percent=data["percent"] if target == "GRAY" else "",
            group_id=data["group"] if target == "GROUP" else "",
        )


class DynamicBatchForm(StrategyForm):
    """A batch for all devices on the source versions, now and later."""

    field_order = ("source_versions", "new_devices_only")
    rate = rate_field(1000)

    source_versions = lines_field(
        3,
        label=_("Source versions"),
        help_text=_("One per line, up to 10. Devices that report one of these versions are updated."),
    )
    new_devices_only = forms.ChoiceField(
        label=pgettext_lazy("of a batch", "Target"),
        choices=[
            ("", _("Current and future devices on these versions")),
            ("1", _("Only devices that report one of these versions from now on")),
        ],
        required=False,
        initial="",
        widget=forms.RadioSelect,
    )

    def __init__(self, package: api.Package, *args: Any, **kwargs: Any) -> None:
        super().__init__(package, *args, **kwargs)
        if package.delta:
            self.fields["source_versions"].disabled = True
            self.fields["source_versions"].initial = package.source_version

    def clean_source_versions(self) -> tuple[str, ...]:
        """Return at least one version. Raises ValidationError."""
        versions = parse_versions(str(self.cleaned_data["source_versions"]))
        if not versions:
            raise forms.ValidationError(_("Enter at least one version."))
        if self.package.version in versions:
            raise forms.ValidationError(_("This is the version of the package. Enter other source versions."))
        return versions


class VerifyForm(forms.Form):
    """Verification of a package on a few devices."""

    names = forms.CharField(
        label=_("Device names"),
        widget=forms.Textarea(attrs={"rows": 5, **PLAIN}),
        help_text=_("1 to 10 devices of the product, one name per line."),
    )
    timeout = forms.IntegerField(
        label=_("Timeout (minutes)"),
        required=False,
        min_value=1,
        max_value=1440,
        initial=60,
        help_text=_("The update of a device fails if it takes longer."),
    )
    need_push = forms.BooleanField(label=_("Push to devices"), required=False, initial=True)
    need_confirm = forms.BooleanField(label=_("Require confirmation"), required=False)

    def clean_names(self) -> tuple[str, ...]:
        """Return 1 to 10 names. Raises ValidationError."""
        names = parse_device_names(str(self.cleaned_data["names"]))
        if not 1 <= len(names) <= api.MAX_VERIFY_NAMES:
            raise forms.ValidationError(_("Enter 1 to 10 device names."))
        return names


class CancelForm(forms.Form):
    """The statuses of the tasks to cancel."""

    statuses = forms.MultipleChoiceField(
        label=_("Cancel device updates with status"),
        widget=forms.CheckboxSelectMultiple,
        choices=(),
        error_messages={"required": _("Select at least one status.")},
    )

    def __init__(self, choices: Iterable[tuple[str, Any]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["statuses"].choices = list(choices)  # type: ignore[attr-defined]
