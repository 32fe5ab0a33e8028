"""Lists of device names and versions that users type or upload."""

from __future__ import annotations

import codecs
import re

from django.core.validators import MaxLengthValidator
from django.forms import ValidationError
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api, rules

_SEPARATOR = re.compile(r"[\s,;]+")


def parse_device_names(text: str) -> tuple[str, ...]:
    """Return the device names in order, without duplicates. A column header in the first row is skipped.

    Raises ValidationError that lists the first invalid names with their row numbers.
    """
    names: dict[str, None] = {}
    invalid: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        for name in filter(None, (part.strip("\"'") for part in _SEPARATOR.split(line.strip()))):
            if number == 1 and name.casefold() in ("devicename", "device_name", "name"):
                continue
            if re.fullmatch(rules.DEVICE_NAME, name):
                names[name] = None
            else:
                invalid.append(f"{number}: {name[:40]}")
    if invalid:
        shown = "; ".join(invalid[:5]) + (" …" if len(invalid) > 5 else "")
        raise ValidationError(
            _(
                "Invalid device names (row: name): %(names)s. Use 4 to 32 characters: English letters, digits, - _ @ . :"
            ),
            params={"names": shown},
        )
    return tuple(names)


def parse_versions(text: str) -> tuple[str, ...]:
    """Return the versions in order, without duplicates. Raises ValidationError."""
    versions = tuple(dict.fromkeys(filter(None, _SEPARATOR.split(text))))
    for version in versions:
        if not re.fullmatch(rules.VERSION, version):
            raise ValidationError(
                _(
                    "“%(version)s” is not a valid version. Use 1 to 64 letters, digits, periods, hyphens or underscores."
                ),
                params={"version": version[:64]},
            )
    MaxLengthValidator(api.MAX_SOURCE_VERSIONS, _("Enter up to 10 versions."))(versions)
    return versions


def decode_text(content: bytes) -> str:
    """Return the text of an uploaded list: UTF-16 with a byte order mark, otherwise UTF-8. Raises ValidationError."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(
            _("The file is not a text file. Upload a text or CSV file in UTF-8.")
        ) from error
    if "\0" in text:
        raise ValidationError(_("The file is not a text file. Upload a text or CSV file in UTF-8."))
    return text
