"""The pages of the tags of a group."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.groups import api
from console.areas.groups.forms import TagForm
from console.areas.groups.pages import group_context
from console.areas.groups.views import FORM_REFUSED
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.links import connection_url
from console.ui.tables import Column, Empty, Table
from iot_client.errors import CloudError


def _build_table(editable: bool) -> Table[api.Tag]:
    return Table(
        id="group-tags",
        caption=_("Tags"),
        columns=(Column("key", _("Key"), kind="code", primary=True), Column("value", _("Value"), copy=True)),
        row_template="areas/groups/tag_actions.html" if editable else "",
    )


@require_safe
def tag_list(request: CloudRequest, group_id: str) -> HttpResponse:
    """Show the tags of a group. Up to 4 calls."""
    group, tags = api.get_group_with_tags(request.gateway, group_id)
    context = group_context(request, group, "tags")
    rights = context["rights"]
    empty = Empty(
        _("No tags"),
        _("Use tags to describe a group, for example its site or customer."),
        icon="tags",
        url=connection_url(request, "groups:set-tag", group_id) if rights.tag else "",
        action=_("Add tag"),
    )
    context["table"] = _build_table(rights.tag).bind(request, tags, empty=empty)
    context["is_full"] = len(tags) >= api.MAX_TAGS
    context["limit"] = api.MAX_TAGS
    return render(request, "areas/groups/tags.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def set_tag(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Add a tag, or with `?key=` change the value of a tag. 2 calls to write."""
    request.gateway.require(api.TAG)
    key = request.GET.get("key", "")[:30]
    before = {tag.key: tag for tag in api.list_tags(request.gateway, group_id)}
    tag_to_edit = before.get(key)
    form = TagForm(
        request.POST if request.method == "POST" else None,
        fixed_key=tag_to_edit.key if tag_to_edit else "",
        initial={"key": key, "value": tag_to_edit.value} if tag_to_edit else None,
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        tag = api.Tag(form.cleaned_data["key"], form.cleaned_data["value"])
        new_tags = {**before, tag.key: tag}
        if len(new_tags) > api.MAX_TAGS:
            form.add_error(
                None,
                gettext("A group can have up to %(limit)d tags. Remove a tag first.")
                % {"limit": api.MAX_TAGS},
            )
        else:
            try:
                api.set_tags(
                    request.gateway, group_id, list(new_tags.values()), current=list(before.values())
                )
            except CloudError as raised:
                error = cloud_errors_to_form(form, raised)
            else:
                messages.success(request, gettext("Tag %(key)s saved.") % {"key": tag.key})
                return redirect(connection_url(request, "groups:tags", group_id))
    context = {"group_id": group_id, "form": form, "error": error, "tag_to_edit": tag_to_edit}
    return render(request, "areas/groups/set_tag.html", context, status=FORM_REFUSED if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def remove_tag(request: CloudRequest, group_id: str) -> HttpResponseBase:
    """Remove the tag `?key=`, after a question. A key that does not exist is not an error."""
    request.gateway.require(api.TAG)
    key = request.GET.get("key", "")[:30]
    error: CloudError | None = None
    if request.method == "POST":
        try:
            api.remove_tag(request.gateway, group_id, key)
        except CloudError as raised:
            error = raised
        else:
            messages.success(request, gettext("Tag %(key)s removed.") % {"key": key})
            return redirect(connection_url(request, "groups:tags", group_id))
    context = {"group_id": group_id, "key": key, "error": error}
    return render(request, "areas/groups/remove_tag.html", context, status=FORM_REFUSED if error else 200)
