"""The forms of update batches: which devices, when, how fast. Limits are those of CreateOTAStaticUpgradeJob and its kin."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxLengthValidator, RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.ota import api
from console.ota.forms import PLAIN
from console.ui.forms import FileWidget

_DEVICE_NAME = re.compile(r"[A-Za-z0-9\-_@.:]{4,32}")
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TAG_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
_BETWEEN = re.compile(r"[\s,;]+")
_MOMENT = "%Y-%m-%dT%H:%M"
EARLIEST, LATEST = timedelta(minutes=5), timedelta(days=7)
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=30)
_TARGETS = [
    ("ALL", _("All devices of the product")),
    ("GRAY", _("A part of them, in per cent")),
    ("SPECIFIC", _("Devices that I name")),
    ("GROUP", _("Those of a group")),
]
_RETRIES = [("", _("No retry")), ("1", _("Once")), ("2", _("Twice")), ("5", _("Five times"))]
_INTERVALS = [
    ("0", _("at once")),
    ("10", _("after 10 minutes")),
    ("30", _("after 30 minutes")),
    ("60", _("after an hour")),
    ("1440", _("after a day")),
]


class MomentField(forms.DateTimeField):
    """A moment in the person's time zone, to the minute."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
        super().__init__(input_formats=[_MOMENT], widget=widget, required=False, **options)


def lines_field(rows: int, **options: Any) -> forms.CharField:
    """Several short texts, one a line."""
    return forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": rows, **PLAIN}), **options)


def rate_field(most: int) -> forms.IntegerField:
    """How many devices a minute; empty leaves it to the platform, which takes the most."""
    return forms.IntegerField(
        label=_("Devices a minute"),
        required=False,
        min_value=10,
        max_value=most,
        widget=forms.NumberInput(attrs={"placeholder": most}),
        help_text=_(
            "How many are told of the update each minute at most. Empty: as many as the platform allows."
        ),
    )


class StrategyForm(forms.Form):
    """How a batch goes about it: what static and dynamic ones have in common."""

    rate = rate_field(10_000)
    retry_count = forms.ChoiceField(label=_("Retries"), required=False, choices=_RETRIES)
    retry_interval = forms.ChoiceField(label=_("Retry"), required=False, choices=_INTERVALS, initial="10")
    timeout = forms.IntegerField(
        label=_("Timeout in minutes"),
        required=False,
        min_value=1,
        max_value=1440,
        help_text=_(
            "From the first progress a device reports. After it the update counts as failed and is not retried."
        ),
    )
    need_push = forms.BooleanField(
        label=_("Tell devices at once"),
        required=False,
        initial=True,
        help_text=_("Otherwise a device learns of the update only when it asks."),
    )
    need_confirm = forms.BooleanField(
        label=_("Wait for confirmation"),
        required=False,
        help_text=_("Each device's update waits until it is confirmed, here or in an app of yours."),
    )
    overwrite = forms.BooleanField(
        label=_("Replace updates that wait"),
        required=False,
        help_text=_(
            "A device's earlier update that has not begun is dropped. Otherwise that one goes first."
        ),
    )
    multi_module = forms.BooleanField(
        label=_("Several modules at a time"),
        required=False,
        help_text=_("For devices that can update several modules side by side."),
    )
    protocol = forms.ChoiceField(
        label=_("Download over"), choices=[("HTTPS", "HTTPS"), ("MQTT", "MQTT")], initial="HTTPS"
    )
    tags = lines_field(
        2,
        label=_("Tags"),
        help_text=_("key=value, one a line, at most 10. Devices get them with the notification."),
    )

    def __init__(self, package: api.Package, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package

    def clean_tags(self) -> tuple[tuple[str, str], ...]:
        """Pairs of key and value."""
        pairs = []
        for line in filter(None, map(str.strip, str(self.cleaned_data["tags"]).splitlines())):
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not _TAG_KEY.fullmatch(key) or not 1 <= len(value) <= 1024:
                raise forms.ValidationError(
                    _("“%(line)s” is no key=value. A key has up to 30 letters, digits or periods."),
                    params={"line": line[:60]},
                )
            pairs.append((key, value))
        if len(pairs) > api.MAX_TAGS or len({key for key, _value in pairs}) < len(pairs):
            raise forms.ValidationError(_("At most 10 tags, each key once."))
        if sum(len(key) + len(value) for key, value in pairs) > 4096:
            raise forms.ValidationError(_("The tags have more than 4,096 characters together."))
        return tuple(pairs)

    def clean(self) -> dict[str, Any]:
        """Rules between the fields."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        timeout, interval = cleaned.get("timeout"), cleaned.get("retry_interval")
        if cleaned.get("retry_count") and timeout and interval and int(interval) >= timeout:
            self.add_error("retry_interval", _("The time before a retry must be shorter than the timeout."))
        if cleaned.get("multi_module") and cleaned.get("overwrite"):
            self.add_error(
                "multi_module", _("Waiting updates cannot be replaced when several modules run at a time.")
            )
        if cleaned.get("protocol") == "MQTT" and (
            self.package.files or (self.package.size or 0) > api.MAX_MQTT_BYTES
        ):
            self.add_error("protocol", _("Over MQTT a package must be a single file of at most 16 MB."))
        return cleaned

    def strategy(self) -> api.Strategy:
        """The strategy; the form is valid."""
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


class StaticForm(StrategyForm):
    """A batch over the devices there are now."""

    field_order = ("target",)

    target = forms.ChoiceField(
        label=_("Which devices"), choices=_TARGETS, initial="ALL", widget=forms.RadioSelect
    )
    source_versions = lines_field(
        2,
        label=_("Only from these versions"),
        help_text=_("One a line, at most 10. Empty: from any version."),
    )
    percent = forms.CharField(
        label=_("Per cent"),
        required=False,
        max_length=7,
        validators=[
            RegexValidator(
                r"^(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)\Z",
                _("A number up to 100, with at most three decimals."),
            )
        ],
        widget=forms.TextInput(
            attrs={**PLAIN, "inputmode": "decimal", "placeholder": "10", "data-needed": True}
        ),
        help_text=_("Rounded down to whole devices, at least one."),
    )
    names = lines_field(
        6, label=_("Device names"), help_text=_("One a line or separated by commas, at most 10,000.")
    )
    list_file = forms.FileField(
        label=_("Or a file of names"),
        required=False,
        widget=FileWidget(accept=".csv,.txt", max_bytes=api.MAX_LIST_BYTES),
        help_text=_("A text or CSV file with one name a line, at most 10,000 names and 5 MB."),
    )
    group = forms.CharField(label=_("Group"), required=False, widget=forms.Select())
    start = MomentField(
        label=_("Start"),
        help_text=_("Empty: at once. Otherwise 5 minutes to 7 days from now, in your time zone."),
    )
    finish = MomentField(
        label=_("End"),
        help_text=_("Only with a start: 1 hour to 30 days after it. What is not done by then is dropped."),
    )

    def __init__(
        self, package: api.Package, *args: Any, groups: Iterable[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(package, *args, **kwargs)
        self.offer_groups(groups)
        if package.delta:
            field = self.fields["source_versions"]
            field.disabled, field.initial = True, package.source_version
            field.help_text = _("A delta package updates from this version only.")

    def offer_groups(self, groups: Iterable[tuple[str, str]]) -> None:
        """The groups to choose from, as (id, name); the one chosen stays."""
        offered = dict(groups)
        chosen = str(self.data.get("group", "")) if self.is_bound else ""
        if chosen and chosen not in offered:
            offered[chosen] = str(self.data.get("group_name", ""))[:30] or chosen
        self.fields["group"].widget.choices = [("", _("Choose a group")), *offered.items()]  # type: ignore[attr-defined]

    def clean_source_versions(self) -> tuple[str, ...]:
        """Versions, each once."""
        return versions_of(str(self.cleaned_data["source_versions"]))

    def clean_list_file(self) -> tuple[str, ...]:
        """The names in the file."""
        file: UploadedFile[bytes] | None = self.cleaned_data["list_file"]
        if file is None:
            return ()
        if (file.size or 0) > api.MAX_LIST_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MB."))
        names = names_of(text_of(file.read()))
        if not names:
            raise forms.ValidationError(_("There is no name in this file."))
        return names

    def clean_names(self) -> tuple[str, ...]:
        """The names typed or pasted."""
        return names_of(str(self.cleaned_data["names"]))

    def clean(self) -> dict[str, Any]:
        """What the chosen target needs, and the times."""
        cleaned = super().clean()
        target = cleaned.get("target")
        if target == "GRAY" and "percent" not in self.errors and not Decimal(cleaned.get("percent") or 0):
            self.add_error("percent", _("Say how many per cent, more than 0."))
        if target == "GROUP" and not cleaned.get("group"):
            self.add_error("group", _("Choose a group."))
        if target == "SPECIFIC" and not {"names", "list_file"} & set(self.errors):
            both = dict.fromkeys([*cleaned.get("names", ()), *cleaned.get("list_file", ())])
            cleaned["all_names"] = tuple(both)
            if not both:
                self.add_error("names", _("Name at least one device, or choose a file."))
            elif len(both) > api.MAX_LISTED_NAMES:
                self.add_error("names", _("These are more than 10,000 names."))
        self._check_times(cleaned.get("start"), cleaned.get("finish"))
        return cleaned

    def _check_times(self, start: datetime | None, finish: datetime | None) -> None:
        now = timezone.now()
        if start and not now + EARLIEST <= start <= now + LATEST:
            self.add_error("start", _("The start must be 5 minutes to 7 days from now."))
        if finish and not start:
            self.add_error("finish", _("An end needs a start."))
        elif start and finish and not start + SHORTEST <= finish <= start + LONGEST:
            self.add_error("finish", _("The end must be 1 hour to 30 days after the start."))

    def aim(self) -> api.Aim:
        """Which devices; the form is valid."""
        data = self.cleaned_data
        target = data["target"]
        return api.Aim(
            selection=target,
            source_versions=data["source_versions"] if target in ("ALL", "GRAY") else (),
            names=data.get("all_names", ()) if target == "SPECIFIC" else (),
            percent=data["percent"] if target == "GRAY" else "",
            group_id=data["group"] if target == "GROUP" else "",
        )


class DynamicForm(StrategyForm):
    """A batch that keeps taking devices of certain versions."""

    field_order = ("source_versions", "newcomers_only")
    rate = rate_field(1000)

    source_versions = lines_field(
        3,
        label=_("From these versions"),
        help_text=_("One a line, at most 10. Devices that report one of them are updated."),
    )
    newcomers_only = forms.ChoiceField(
        label=_("Which devices"),
        choices=[
            ("", _("Those that have one of the versions now, and those that report one later")),
            ("1", _("Only those that report one of the versions from now on")),
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
        """At least one version."""
        versions = versions_of(str(self.cleaned_data["source_versions"]))
        if not versions:
            raise forms.ValidationError(_("Name at least one version."))
        if self.package.version in versions:
            raise forms.ValidationError(_("The package itself leads to this version."))
        return versions


class VerifyForm(forms.Form):
    """Trying a package on a few devices."""

    names = forms.CharField(
        label=_("Device names"),
        widget=forms.Textarea(attrs={"rows": 5, **PLAIN}),
        help_text=_("1 to 10 devices of the product, one a line."),
    )
    timeout = forms.IntegerField(
        label=_("Timeout in minutes"),
        required=False,
        min_value=1,
        max_value=1440,
        initial=60,
        help_text=_("A device that takes longer counts as failed."),
    )
    need_push = forms.BooleanField(label=_("Tell devices at once"), required=False, initial=True)
    need_confirm = forms.BooleanField(label=_("Wait for confirmation"), required=False)

    def clean_names(self) -> tuple[str, ...]:
        """Up to ten names."""
        names = names_of(str(self.cleaned_data["names"]))
        if not 1 <= len(names) <= api.MAX_VERIFY_NAMES:
            raise forms.ValidationError(_("Name 1 to 10 devices."))
        return names


class CancelForm(forms.Form):
    """Which tasks of a batch to cancel."""

    states = forms.MultipleChoiceField(
        label=_("Cancel devices that are"),
        widget=forms.CheckboxSelectMultiple,
        choices=(),
        error_messages={"required": _("Tick at least one.")},
    )

    def __init__(self, choices: Iterable[tuple[str, Any]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["states"].choices = list(choices)  # type: ignore[attr-defined]


# -- reading lists ---------------------------------------------------------------------------------------------------


def names_of(text: str) -> tuple[str, ...]:
    """Device names, each once, in order; a first line that only says what the column is, is passed over.

    Raises ValidationError with the line of the first few that no device can have.
    """
    names: dict[str, None] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        for name in filter(None, (part.strip("\"'") for part in _BETWEEN.split(line.strip()))):
            if number == 1 and name.casefold() in ("devicename", "device_name", "name"):
                continue
            if _DEVICE_NAME.fullmatch(name):
                names[name] = None
            else:
                wrong.append(f"{number}: {name[:40]}")
    if wrong:
        shown = "; ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
        raise forms.ValidationError(
            _(
                "No device can be called so (line: name) – %(names)s. A name has 4 to 32 letters, digits or - _ @ . :"
            ),
            params={"names": shown},
        )
    return tuple(names)


def versions_of(text: str) -> tuple[str, ...]:
    """Versions, each once. Raises ValidationError."""
    versions = tuple(dict.fromkeys(filter(None, _BETWEEN.split(text))))
    for version in versions:
        if not _VERSION.fullmatch(version):
            raise forms.ValidationError(
                _("“%(version)s” is no version: up to 64 letters, digits, periods, hyphens or underscores."),
                params={"version": version[:64]},
            )
    MaxLengthValidator(api.MAX_SOURCE_VERSIONS, _("At most 10 versions."))(versions)
    return versions


def text_of(content: bytes) -> str:
    """The text of an uploaded list: UTF-8, or UTF-16 where it says so. Raises ValidationError. Names are plain ASCII."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise forms.ValidationError(_("This is no text file.")) from error
    if "\0" in text:
        raise forms.ValidationError(_("This is no text file."))
    return text
