"""The nodes of the tree of groups, as HTML. Written in Python for the same reason as the rows of a list (console/ui/list_html.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from console.areas.groups import api
from console.areas.groups.records import TreeCounts
from console.ui.format import number
from console.ui.icons import icon
from console.ui.links import connection_url


def render_nodes(
    request: HttpRequest,
    groups: Iterable[api.Group],
    level: int,
    counts: Mapping[str, TreeCounts] | None = None,
) -> SafeString:
    """Render groups of a level from 1 to 3. A node above the last level has a button that loads its subgroups.

    `counts`: the device counts of each group, by its ID. Without it, `render_counts` fills them in later.
    """
    loading, subgroups = escape(gettext("Loading…")), gettext("Subgroups of %(name)s")
    parts: list[str] = []
    for group in groups:
        name, text = escape(group.name), escape(group.description)
        parts.append(
            '<li class="fd-node"><div class="fd-node-row"><a class="fd-node-name"'
            f' href="{escape(connection_url(request, "groups:detail", group.id))}">'
            f"{icon('folder', 16)}<span>{name}</span></a>"
        )
        if text:
            parts.append(f'<span class="fd-node-text" title="{text}">{text}</span>')
        if counts is None:
            parts.append(f'<span class="fd-node-count" id="{_count_id(group.id)}"></span>')
        else:
            parts.append(f'<span class="fd-node-count">{_describe_counts(counts.get(group.id))}</span>')
        parts.append("</div>")
        if level < api.MAX_DEPTH:
            url = f"{connection_url(request, 'groups:children', group.id)}?level={level + 1}"
            parts.append(
                f'<details class="fd-node-more" hx-get="{escape(url)}" hx-trigger="toggle once"'
                ' hx-target="find .fd-branch" hx-swap="innerHTML show:none">'
                f'<summary class="fd-node-toggle" aria-label="{escape(subgroups % {"name": group.name})}">'
                f'{icon("chevron-right", 16)}</summary><div class="fd-branch">'
                f'<p class="fd-branch-note">{loading}</p></div></details>'
            )
        else:
            parts.append('<span class="fd-node-leaf" aria-hidden="true"></span>')
        parts.append("</li>\n")
    return mark_safe("".join(parts))  # noqa: S308 - each value is escaped above


def render_counts(counts: Mapping[str, TreeCounts]) -> SafeString:
    """Render the device counts of groups, by their IDs, as a response of htmx that puts each into its node."""
    parts = [
        f'<span class="fd-node-count" id="{_count_id(group_id)}" hx-swap-oob="true">'
        f"{_describe_counts(tree)}</span>"
        for group_id, tree in counts.items()
    ]
    return mark_safe("".join(parts))  # noqa: S308 - each value is escaped


def _count_id(group_id: str) -> str:
    return escape(f"count-{group_id}")


def _describe_counts(tree: TreeCounts | None) -> str:
    """Return the number of devices of a group as HTML: with those of the groups below it, or "direct" if these were not counted.
    Nothing if the group itself was not counted."""
    if tree is None or tree.direct is None or tree.total is None:
        return ""
    if tree.below is None:
        return escape(gettext("%(count)s direct") % {"count": number(tree.direct.total)})
    devices = tree.total.total
    text = ngettext("%(count)s device", "%(count)s devices", devices) % {"count": number(devices)}
    return escape(text)
