"""An action on one object: one declaration gives its button or menu entry, its dialog, its checks and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils.functional import Promise

from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.forms import FORM_REFUSED, ConfirmForm
from console.ui.pieces import MenuItem
from iot_client.errors import CloudError, NotFound

if TYPE_CHECKING:
    from console.pages.detail import Detail

Object = TypeVar("Object")
Text = str | Promise


@dataclass(frozen=True)
class Question:
    """What the dialog of an action says before the action runs.

    `submit` is the label of its button, by default the label of the action. `effects` are listed under `text`. With
    `expected`, the user types this text to confirm; `expected_label` names it. With `obstacles`, the action cannot run now:
    the dialog lists them with `remedies`, links that help, in place of the form. `planned` are the parameters of the call,
    to say before it is sent that it needs approval. `close` is the label of the button that closes the dialog, by default
    "Cancel".
    """

    title: str
    text: str = ""
    submit: str = ""
    effects: Sequence[str] = ()
    expected: str = ""
    expected_label: str = ""
    obstacles: Sequence[str] = ()
    remedies: Sequence[MenuItem] = ()
    planned: Mapping[str, Any] | None = None
    close: str = ""

    @property
    def command(self) -> str:
        """The title without its question mark, for the button and the job of an action on several objects: "Disable 20 devices"."""
        return self.title.rstrip("?？ ")


@dataclass(frozen=True)
class Done:
    """The result of an action: the message, and the page to show next (by default the action's `back`)."""

    message: str
    url: str = ""
    is_warning: bool = False


@dataclass(frozen=True)
class Action(Generic[Object]):
    """Something that can be done to one object.

    `slug` is the name of its URL, and `address` the last part of the URL if that differs. A user needs the permission for
    `operation`. `button` puts it into the heading of the object's page, "primary" in the main color;
    other actions with a `menu` label are in the menu. `is_available(obj)` says whether it can be done in the object's
    present state; elsewhere its button is not shown.

    `ask(request, obj)` returns the question of the dialog; without it, the button sends the action at once. `form(request,
    obj)` returns the form of the dialog, bound to `request.POST` if the request is a POST. `run(request, obj, values)`
    makes the change; `values` are the cleaned values of the form. It may raise a CloudError, which is shown at the field that
    `fields` (parameter → field) or the field's name gives, else above the form; the input is kept.

    `back` is the URL name of the page to return to, by default the object's first page. With `deletes`, that is the list of
    objects, and an object that no longer exists is not an error. `fresh` reads the object past the cache.
    """

    slug: str
    operation: str
    label: Text
    run: Callable[[CloudRequest, Object, Mapping[str, Any]], Done]
    ask: Callable[[CloudRequest, Object], Question] | None = None
    form: Callable[[CloudRequest, Object], Form] | None = None
    is_available: Callable[[Object], bool] = lambda obj: True
    icon: str = ""
    button: Literal["", "plain", "primary"] = ""
    menu: Text = ""
    danger: bool = False
    deletes: bool = False
    fresh: bool = False
    back: str = ""
    address: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def perform_action(
    request: CloudRequest, detail: Detail[Object], action: Action[Object], ids: Sequence[str]
) -> HttpResponse:
    """Show the dialog of an action, or with POST run the action and redirect.

    Raises PermissionRefused, and the errors of reading the object. An object that no longer exists leads to the list.
    """
    if request.method not in {"GET", "HEAD", "POST"} or (action.ask is None and request.method != "POST"):
        return HttpResponseNotAllowed(["POST"] if action.ask is None else ["GET", "HEAD", "POST"])
    request.gateway.require(action.operation)
    try:
        obj = detail.read(request.gateway, *ids, fresh=action.fresh or action.deletes)
    except NotFound:
        if not action.deletes:
            raise
        return _leave_missing(request, detail)
    question = action.ask(request, obj) if action.ask else Question("")
    form = _build_form(request, action, question, obj)
    error: CloudError | None = None
    if request.method == "POST" and not question.obstacles and (form is None or form.is_valid()):
        try:
            done = action.run(request, obj, {} if form is None else form.cleaned_data)
        except CloudError as raised:
            if action.deletes and isinstance(raised, NotFound):
                return _leave_missing(request, detail)
            if action.ask is None:
                raise
            error = raised if form is None else cloud_errors_to_form(form, raised, action.fields)
        else:
            (messages.warning if done.is_warning else messages.success)(request, done.message)
            back = detail.list_url(request) if action.deletes else detail.url_of(request, obj, action.back)
            return redirect(done.url or back)
    context = {
        "question": question,
        "title": question.title,
        "crumbs": [*detail.crumbs(request, obj), (detail.title(obj), detail.url_of(request, obj))],
        "form": form,
        "error": error,
        "submit": question.submit or action.label,
        "submit_icon": "",
        "danger": action.danger,
        "cancel": detail.url_of(request, obj, action.back),
        "cancel_label": question.close,
        "needs_approval": question.planned is not None
        and needs_approval(request.gateway, action.operation, question.planned),
    }
    return render(
        request, "pages/action.html", context, status=FORM_REFUSED if request.method == "POST" else 200
    )


def _build_form(
    request: CloudRequest, action: Action[Object], question: Question, obj: Object
) -> Form | None:
    if action.form is not None:
        return action.form(request, obj)
    if not question.expected:
        return None
    data = request.POST if request.method == "POST" else None
    return ConfirmForm(question.expected, data, label=question.expected_label)


def _leave_missing(request: CloudRequest, detail: Detail[Any]) -> HttpResponse:
    messages.warning(request, str(detail.missing))
    return redirect(detail.list_url(request))
