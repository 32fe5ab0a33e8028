"""The data of the includes of templates/ui/: tabs, menus, details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from console.ui.badges import copy_button
from console.ui.links import explorer_url
from console.ui.tables import format_value

Text = str | Promise
_COLUMN_CHARACTERS = 40
"""The longest identifier that fits into a column of details at a width of 1440 pixels, beside its copy button."""
_NARROW_CHARACTERS = 20
"""The longest identifier that fits beside its label on a phone."""


@dataclass(frozen=True)
class Tab:
    """A part of a page with its own address, for ui/tabs.html."""

    label: Text
    url: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True)
class MenuItem:
    """An entry of ui/menu.html; `dialog` opens its page over the current one, `post` sends a POST instead of opening a page."""

    label: Text
    url: str
    icon: str = ""
    danger: bool = False
    dialog: bool = False
    post: bool = False


def explorer_item(request: HttpRequest, operation: str, **params: Any) -> MenuItem:
    """The menu entry that opens the page's API call in the explorer."""
    return MenuItem(_("View API call"), explorer_url(request, operation, **params), "terminal-2")


@dataclass(frozen=True)
class DetailItem:
    """A label and its value for ui/details.html; `kind` and `status` as in a table's Column. `wide`: the full width, for long
    texts. `url`: the value is a link."""

    label: Text
    value: Any
    kind: str = "text"
    status: str = ""
    copy: bool = False
    wide: bool = False
    url: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether it takes the full width. Identifiers that do not fit into a column do, so that they stay in one line."""
        return self.wide or (self.kind == "code" and len(str(self.value)) > _COLUMN_CHARACTERS)

    @property
    def css(self) -> str:
        """The classes of its element."""
        is_identifier = self.kind == "code" and len(str(self.value)) > _NARROW_CHARACTERS
        names = {"fd-details-wide": self.is_wide, "fd-details-id": is_identifier}
        return " ".join(name for name, applies in names.items() if applies)

    @property
    def html(self) -> str | SafeString:
        """The value as HTML."""
        content = format_value(self.kind, self.status, self.value)
        if self.url:
            content = format_html('<a href="{}">{}</a>', self.url, content)
        if self.copy and self.value not in (None, ""):
            content = format_html(
                '<span class="fd-copied">{}{}</span>', content, copy_button(str(self.value))
            )
        return content
