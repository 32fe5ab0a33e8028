"""Reads templates without their indentation, which would be a tenth of a page with long rows or deep blocks."""

from __future__ import annotations

import re

from django.template.base import Origin
from django.template.loaders import filesystem


class Loader(filesystem.Loader):
    """Django's loader of files. It removes the indentation of HTML templates; line numbers stay."""

    def get_contents(self, origin: Origin) -> str:
        """Return the source of the template. Raises TemplateDoesNotExist."""
        source = super().get_contents(origin)
        return re.sub(r"(?m)^[ \t]+", "", source) if origin.name.endswith(".html") else source
