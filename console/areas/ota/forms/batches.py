"""The forms of update batches: devices, schedule and update policy. Limits: CreateOTAStaticUpgradeJob,
CreateOTADynamicUpgradeJob, CreateOTAVerifyJob."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.areas.ota import api, rules
from console.areas.ota.forms.lists import parse_versions
from console.areas.ota.forms.packages import PLAIN
from console.pages.device_names import NameList, SelectedNames, read_list, read_text
from console.ui.fields import MomentField
from console.ui.forms import FileWidget
from console.ui.statuses import status

# The one that updates a whole product is the last.
_TARGETS = [
    ("GRAY", _("Percentage of devices")),
    ("GROUP", _("Devices in a group")),
    ("SPECIFIC", _("Selected devices")),
    ("ALL", _("All devices of the product")),
]
_FIRST_PERCENT = "1"  # of a new form: a batch begins with a small part of the devices
_RETRIES = [("", _("No retry")), ("1", _("Once")), ("2", _("Twice")), ("5", _("Five times"))]
_INTERVALS = [
    ("0", _("Immediately")),
    ("10", _("After 10 minutes")),
    ("30", _("After 30 minutes")),
    ("60", _("After 1 hour")),
    ("1440", _("After 1 day")),
]

_PLANNED_TASKS = [("SCHEDULED", _("Planned (the batch has not started)"))]


def lines_field(rows: int, required: bool = False, **options: Any) -> forms.CharField:
    """Return a field for several short texts, one per line."""
    return forms.CharField(required=required, widget=forms.Textarea(attrs={"rows": rows, **PLAIN}), **options)


class PercentField(forms.CharField):
    """A percentage as a decimal number; a percent sign after it is dropped."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).removesuffix("%").rstrip()


def fix_source_version(field: forms.Field, package: api.Package) -> None:
    """Show the one version that a delta package can update as a value that cannot be changed."""
    if package.delta:
        field.disabled, field.initial, field.widget = True, package.source_version, forms.TextInput()
        field.label, field.help_text = _("Source version"), _("A delta package can update only this version.")


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


def push_field() -> forms.BooleanField:
    """Return the field for how devices receive the update."""
    return forms.BooleanField(
        label=_("Push to devices"),
        required=False,
        initial=True,
        help_text=_("If off, a device gets the update when it requests it."),
    )


def confirmation_field() -> forms.BooleanField:
    """Return the field for whether each update waits for a confirmation."""
    return forms.BooleanField(
        label=_("Require confirmation"),
        required=False,
        help_text=_("Each update starts after you confirm it here or in your app."),
    )


class StrategyForm(forms.Form):
    """The update policy, common to static and dynamic batches.

    `rule_fields` maps the names of console.areas.ota.rules to fields with another name.
    """

    rule_fields: ClassVar[Mapping[str, str]] = {}
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
    need_push = push_field()
    need_confirm = confirmation_field()
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
            if not equals or not re.fullmatch(rules.TAG_KEY, key) or not 1 <= len(value) <= 1024:
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
        self.add_problems(rules.check_strategy(self.package, self.build_strategy()))
        return cleaned

    def add_problems(self, problems: Iterable[rules.Problem]) -> None:
        """Add each problem to its field, unless the value of the field is already refused."""
        for name, text in problems:
            field = self.rule_fields.get(name, name)
            if field not in self.errors:
                self.add_error(field, str(text))

    def build_strategy(self) -> api.Strategy:
        """Return the strategy. A value that was refused is left out."""
        data = self.cleaned_data
        count = int(data.get("retry_count") or 0) or None
        return api.Strategy(
            rate=data.get("rate"),
            retry_count=count,
            retry_interval=int(data.get("retry_interval") or 0) if count else None,
            timeout=data.get("timeout"),
            overwrite=data["overwrite"],
            multi_module=data["multi_module"],
            need_push=data["need_push"],
            need_confirm=data["need_confirm"],
            protocol=data.get("protocol", ""),
            tags=data.get("tags", ()),
        )


class StaticBatchForm(StrategyForm):
    """A batch for the devices that exist now."""

    field_order = ("target",)
    rule_fields: ClassVar = {"group_id": "group"}

    target = forms.ChoiceField(
        label=pgettext_lazy("of a batch", "Target"),
        choices=_TARGETS,
        initial="GRAY",
        widget=forms.RadioSelect,
    )
    source_versions = lines_field(
        2,
        label=_("Source versions"),
        help_text=_("One per line, up to 10. Leave empty for any version."),
    )
    percent = PercentField(
        label=_("Percentage"),
        required=False,
        initial=_FIRST_PERCENT,
        validators=[
            RegexValidator(
                rf"^{rules.PERCENT}\Z",
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
        widget=FileWidget(accept=".csv,.txt,.xlsx", max_bytes=api.MAX_LIST_BYTES),
        help_text=_(
            "Text, CSV or Excel file (.xlsx): one name per row, or a table with a “device name” column, like an export of devices. Up to 10,000 names and 5 MB."
        ),
    )
    group = forms.CharField(label=_("Group"), required=False, widget=forms.Select())
    start = MomentField(
        label=_("Start"),
        required=False,
        help_text=_("Leave empty to start now, or choose a time 5 minutes to 7 days from now."),
    )
    finish = MomentField(
        label=_("End"),
        required=False,
        help_text=_(
            "1 hour to 30 days after the start. Updates that are not finished by then are canceled. Requires a start time."
        ),
    )

    def __init__(
        self, package: api.Package, *args: Any, groups: Iterable[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(package, *args, **kwargs)
        self.set_group_choices(groups)
        fix_source_version(self.fields["source_versions"], package)

    def set_group_choices(self, groups: Iterable[tuple[str, str]]) -> None:
        """Set the groups to choose from, as (id, name). The selected group is kept."""
        choices = dict(groups)
        values = self.data if self.is_bound else self.initial
        selected = str(values.get("group", ""))
        if selected and selected not in choices:
            choices[selected] = str(values.get("group_name", ""))[:30] or selected
        self.fields["group"].widget.choices = [("", _("Select a group")), *choices.items()]  # type: ignore[attr-defined]

    def clean_source_versions(self) -> tuple[str, ...]:
        """Return the versions without duplicates. Raises ValidationError."""
        return parse_versions(str(self.cleaned_data["source_versions"]))

    def clean_list_file(self) -> NameList:
        """Return the device names in the file. Raises ValidationError."""
        file: UploadedFile[bytes] | None = self.cleaned_data["list_file"]
        if file is None:
            return NameList()
        if (file.size or 0) > api.MAX_LIST_BYTES:
            raise forms.ValidationError(_("The file is too large. The limit is 5 MB."))
        listed = read_list(file.read())
        if not listed.names:
            raise forms.ValidationError(_("The file contains no device names."))
        return listed

    def clean_names(self) -> NameList:
        """Return the names in the text field. Raises ValidationError."""
        return read_text(str(self.cleaned_data["names"]))

    def clean(self) -> dict[str, Any]:
        """Check the target and the schedule."""
        cleaned = super().clean()
        lists = [cleaned.get(field, NameList()) for field in ("names", "list_file")]
        cleaned["all_names"] = tuple(dict.fromkeys(name for listed in lists for name in listed.names))
        batch_target = self.build_target()
        if "list_file" not in self.errors:
            self.add_problems(rules.check_target(batch_target))
        self.add_problems(rules.check_source_versions(self.package, batch_target.source_versions))
        self.add_problems(rules.check_schedule(cleaned.get("start"), cleaned.get("finish")))
        return cleaned

    def build_target(self) -> api.BatchTarget:
        """Return the target devices. A value that was refused, or that the target does not use, is left out."""
        data = self.cleaned_data
        target = data.get("target", "")
        return api.BatchTarget(
            selection=target,
            source_versions=data.get("source_versions", ()) if target in ("ALL", "GRAY") else (),
            names=data["all_names"] if target == "SPECIFIC" else (),
            percent=data.get("percent", "") if target == "GRAY" else "",
            group_id=data.get("group", "") if target == "GROUP" else "",
        )


class DynamicBatchForm(StrategyForm):
    """A batch for all devices on the source versions, now and later."""

    field_order = ("source_versions", "new_devices_only")
    rate = rate_field(1000)

    source_versions = lines_field(
        3,
        required=True,
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
        fix_source_version(self.fields["source_versions"], package)

    def clean_source_versions(self) -> tuple[str, ...]:
        """Return at least one version. Raises ValidationError."""
        versions = parse_versions(str(self.cleaned_data["source_versions"]))
        if not versions:
            raise forms.ValidationError(_("Enter at least one version."))
        return versions

    def clean(self) -> dict[str, Any]:
        """Check the source versions."""
        cleaned = super().clean()
        self.add_problems(
            rules.check_source_versions(self.package, cleaned.get("source_versions", ())),
        )
        return cleaned


class VerifyForm(SelectedNames):
    """Verification of a package on a few devices, selected in search results or typed."""

    names = forms.CharField(
        label=_("Device names"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, **PLAIN}),
        help_text=_("Names of further devices, one per line. 1 to 10 devices in total."),
    )
    timeout = forms.IntegerField(
        label=_("Timeout (minutes)"),
        required=False,
        min_value=1,
        max_value=1440,
        initial=60,
        help_text=_("The update of a device fails if it takes longer."),
    )
    need_push = push_field()
    need_confirm = confirmation_field()

    def clean_names(self) -> tuple[str, ...]:
        """Return 1 to 10 names. Raises ValidationError."""
        typed = read_text(str(self.cleaned_data["names"])).names
        names = tuple(dict.fromkeys([*self.selected_names, *typed]))
        if not 1 <= len(names) <= api.MAX_VERIFY_NAMES:
            raise forms.ValidationError(_("Select or enter 1 to 10 devices."))
        return names


class CancelForm(forms.Form):
    """The statuses of the tasks to cancel, with the names that the page of the batch has for them. `is_planned`: the batch has
    not started."""

    statuses = forms.MultipleChoiceField(
        label=_("Cancel device updates with status"),
        widget=forms.CheckboxSelectMultiple,
        choices=(),
        error_messages={"required": _("Select at least one status.")},
    )

    def __init__(self, data: QueryDict | None, *, is_planned: bool) -> None:
        running = [(value, status("batch_task", value).label) for value in api.OPEN_TASKS]
        choices = _PLANNED_TASKS if is_planned else running
        super().__init__(data, initial={"statuses": [value for value, _label in choices[:3]]})
        self.fields["statuses"].choices = choices  # type: ignore[attr-defined]
