"""A form that creates an object: one declaration gives its page or dialog, its checks and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.forms import CharField, Form, HiddenInput
from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.pages.actions import Done
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from iot_client.errors import CloudError

Text = str | Promise

FORM_FIELD = "submission"


@dataclass(frozen=True)
class Creation:
    """The creation of an object.

    `label` is the title of the page and the label of its button. A user needs the permission for `operation`. `form(request,
    **ids)` returns the form, bound to `request.POST` if the request is a POST. `run(request, values, **ids)` creates the object
    and returns where to go next; `ids` are the arguments of the URL. It is called once for each form that is shown: a double
    click, a reload or a second tab leads to the object that was created. A CloudError that it raises is shown at the field that
    `fields` (parameter → field) or the field's name gives, else above the form; the input is kept.

    `crumbs` are the label and URL name of the pages above, and `parents(request, form)` returns the label and URL of further ones
    below them; the last page is where "Cancel" leads. `text` explains the form. With `account_wide`, the object is in no other
    object: members with a limited access scope cannot create it.
    """

    label: Text
    operation: str
    form: Callable[..., Form]
    run: Callable[..., Done]
    crumbs: Sequence[tuple[Text, str]]
    text: Text = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    parents: Callable[[CloudRequest, Any], Sequence[tuple[Text, str]]] = lambda request, form: ()
    account_wide: bool = False

    def is_allowed(self, request: CloudRequest) -> bool:
        """Whether the user may create at least some objects."""
        gateway = request.gateway
        return gateway.allows(self.operation) and not (self.account_wide and gateway.limited_scope)

    def show(self, request: CloudRequest, **ids: str) -> HttpResponse:
        """Show the form, or with POST create the object and redirect."""
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if self.account_wide:
            request.gateway.require_in_scope(self.operation)
        else:
            request.gateway.require(self.operation)
        form = self.form(request, **ids)
        crumbs = [(label, connection_url(request, name)) for label, name in self.crumbs]
        crumbs += self.parents(request, form)
        form.fields[FORM_FIELD] = CharField(
            required=False, max_length=64, widget=HiddenInput, initial=new_token
        )
        error: CloudError | None = None
        is_refused = False
        if request.method == "POST" and form.is_valid():
            try:
                return redirect(self._run_once(request, form, **ids))
            except AlreadySubmitted as earlier:
                return _redirect_to_created(request, earlier.result, crumbs[-1][1])
            except CloudError as raised:
                error, is_refused = cloud_errors_to_form(form, raised, self.fields), True
                if is_outcome_unknown(raised):  # who checked that nothing was created, can submit again
                    form.data = request.POST.copy()
                    form.data[FORM_FIELD] = new_token()
        context = {
            "title": self.label,
            "text": self.text,
            "crumbs": crumbs,
            "cancel": crumbs[-1][1],
            "form": form,
            "error": error,
            "submit": self.label,
        }
        status = FORM_REFUSED if request.method == "POST" else 200
        response = render(request, "ui/form_page.html", context, status=status)
        if is_refused:  # a part may have been created: the list under the dialog reloads
            response["HX-Trigger"] = "list-changed"
        return response

    def _run_once(self, request: CloudRequest, form: Form, **ids: str) -> str:
        """Create the object, unless this form was submitted before. Returns the address of its page."""
        values = dict(form.cleaned_data)
        token = values.pop(FORM_FIELD)

        def create() -> str:
            done = self.run(request, values, **ids)
            (messages.warning if done.is_warning else messages.success)(request, done.message)
            return done.url

        return submit_once(request, token or new_token(), create)


def _redirect_to_created(request: CloudRequest, page: str, list_page: str) -> HttpResponse:
    if page:
        messages.info(request, _("This form was already submitted. Nothing was created twice."))
    else:
        text = _(
            "You already submitted this form, and no response was received yet. Check the list here in a moment."
        )
        messages.warning(request, text)
    return redirect(page or list_page)
