"""Lists of versions that users type."""

from __future__ import annotations

import re

from django.core.validators import MaxLengthValidator
from django.forms import ValidationError
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api, rules

_SEPARATOR = re.compile(r"[\s,;]+")


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
