"""Pages of the explorer: find an operation, fill it in, send it, look at what came back, copy it as code."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms as django_forms
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from console.access.audit import SAFE_PARAMETERS
from console.access.reauthentication import ReauthenticationNeeded
from console.cloud import catalogue
from console.cloud.catalogue import Access, Operation, UnknownOperation
from console.cloud.client import normalize_endpoint
from console.cloud.errors import CloudError
from console.cloud.text import Sentence
from console.connections.gateway import PermissionRefused
from console.connections.http import CloudRequest
from console.devices import api as devices_api
from console.devices.records import DeviceFilter
from console.explorer import search, words
from console.explorer.code import LANGUAGES, CodeCall, Language, language, usable
from console.explorer.entry import Entry
from console.explorer.forms import CallForm
from console.explorer.models import ExplorerCall
from console.explorer.sending import Sent, send
from console.explorer.tables import CALLS
from console.groups import api as groups_api
from console.products import api as products_api
from console.ui.forms import FilterForm
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty

LANGUAGE_COOKIE = "explorer-language"
SUGGESTED = 50
_LONGEST_QUERY = 2000  # characters


# -- finding -----------------------------------------------------------------------------------------------------------


@require_GET
def index(request: CloudRequest) -> HttpResponseBase:
    """All operations, or those that `?q=` finds. `?go=1` leads straight to the one that fits best."""
    text = request.GET.get("q", "")[:100]
    area = request.GET.get("area", "")
    if request.GET.get("go") and (fits := search.best(text)) is not None:
        return redirect(curl(request, "explorer:operation", fits.name))
    found = search.sections(request.gateway.allows, text, area if area in words.AREAS else "")
    context = {
        "q": text,
        "area": area,
        "areas": words.AREAS.items(),
        "sections": found,
        "total": sum(len(section.found) for section in found),
        "recent": _recent(request),
    }
    return render(request, "explorer/index.html", context)


def _recent(request: CloudRequest) -> list[str]:
    """The operations that the person called last, each once."""
    own = ExplorerCall.objects.of(request.membership.user, request.connection)
    return list(dict.fromkeys(own.values_list("operation", flat=True)[:40]))[:6]


# -- one operation -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def call(request: CloudRequest, operation: str) -> HttpResponseBase:
    """An operation as a form. GET only fills it in; POST sends it, unless a row or the language of the code was asked for."""
    try:
        described = catalogue.operation(operation)
    except UnknownOperation:
        raise Http404 from None
    if request.method == "GET":
        return _filled(request, described)
    response = _posted(request, described)
    add_never_cache_headers(response)
    return response


def _filled(request: CloudRequest, operation: Operation) -> HttpResponseBase:
    """The form as the address fills it in, or a call of the person's history (`?again=`)."""
    forgotten: list[str] = []
    entry = Entry.read(operation, request.GET)
    again = request.GET.get("again", "")
    if again:
        earlier = get_object_or_404(
            ExplorerCall.objects.of(request.membership.user, request.connection),
            pk=int(again) if again.isascii() and again.isdigit() and len(again) < 19 else 0,
            operation=operation.name,
        )
        entry, forgotten = Entry.of(operation, earlier.parameters), earlier.left_out
    return _page(request, CallForm(entry, instance_id=_instance(request), forgotten=forgotten))


def _posted(request: CloudRequest, operation: Operation) -> HttpResponseBase:
    entry = Entry.read(operation, request.POST)
    instance = _instance(request)
    if "grow" in request.POST:
        base = request.POST["grow"]
        number = entry.grow(base)
        fields = CallForm(entry, instance_id=instance).fields
        first = next((n for n in fields if f"{n}.".startswith(f"{base}.{number}.")), "")
        return _page(request, CallForm(entry, instance_id=instance, focus=first))
    if "drop" in request.POST:
        base, _dot, number_text = request.POST["drop"].rpartition(".")
        entry.drop(base, int(number_text) if number_text.isascii() and number_text.isdigit() else 0)
        return _page(request, CallForm(entry, instance_id=instance), grown=base)
    if "code" in request.POST:
        answer = _page(request, CallForm(entry, instance_id=instance))
        chosen = language(request.POST["code"]).slug
        answer.set_cookie(
            LANGUAGE_COOKIE, chosen, max_age=31_536_000, samesite="Lax", secure=request.is_secure()
        )
        return answer
    return _sent(request, operation, entry)


def _sent(request: CloudRequest, operation: Operation, entry: Entry) -> HttpResponseBase:
    params = entry.params()
    reveal = request.POST.get("reveal") == "1" and bool(operation.secret_fields)
    xml = request.POST.get("format") == "XML"
    if not request.gateway.allows(operation.name) or (reveal and not request.gateway.reveals(operation.name)):
        send(request, operation, params, reveal=reveal, xml=xml)  # refused, and recorded
    problems: dict[str, list[Sentence]] = catalogue.validate(operation, params)
    form = CallForm(entry, instance_id=_instance(request), problems=problems)
    if reveal and not request.gateway.reauthenticated:
        raise ReauthenticationNeeded(_filled_in(request))
    typed = request.POST.get("typed", "").strip()
    unsure = operation.access is Access.DELETE and typed != operation.name
    if form.wrong or unsure:
        return _page(request, form, status=422, unsure=unsure and not form.wrong, typed=typed)
    return _page(request, form, sent=send(request, operation, params, reveal=reveal, xml=xml))


def _filled_in(request: CloudRequest) -> str:
    """The address of the form as it was posted: what was typed is there after a detour.

    Left out is what may be a secret, for addresses are written into logs; and all of it when it is very long.
    """
    typed = request.POST.copy()
    for name in list(typed):
        if name.partition(".")[0] not in SAFE_PARAMETERS | {"reveal", "format"}:
            del typed[name]
    query = typed.urlencode()
    return f"{request.path}?{query}" if len(query) <= _LONGEST_QUERY else request.path


def _page(
    request: CloudRequest, form: CallForm, *, status: int = 200, sent: Sent | None = None, **context: Any
) -> HttpResponse:
    operation = form.operation
    typed: QueryDict = request.POST if request.method == "POST" else request.GET
    chosen = language(typed.get("code") or request.COOKIES.get(LANGUAGE_COOKIE, ""))
    role = request.membership.role
    area = words.AREAS[operation.area]
    earlier = ExplorerCall.objects.of(request.membership.user, request.connection)
    context |= {
        "operation": operation,
        "form": form,
        "sent": sent,
        "area": area,
        "rules": words.rules(operation),
        "allowed": request.gateway.allows(operation.name),
        "beyond": role.allows(operation),  # where it is not allowed all the same
        "reveals": bool(operation.secret_fields) and request.gateway.reveals(operation.name),
        "reveal": typed.get("reveal") == "1",
        "format": "XML" if typed.get("format") == "XML" else "JSON",
        "role": role.label,
        "level": words.LEVELS[operation.access],
        "languages": LANGUAGES,
        "language": chosen,
        "code": _code(request, form, chosen),
        "earlier": earlier.filter(operation=operation.name)[:5],
        "destroys": operation.access is Access.DELETE,
    }
    return render(request, "explorer/operation.html", context, status=status)


def _code(request: CloudRequest, form: CallForm, chosen: Language) -> str:
    """The call as it stands in the form, as code."""
    connection, operation = request.connection, form.operation
    params = usable(operation, form.entry.params())
    if connection.instance_id and "IotInstanceId" in operation.parameters:
        params.setdefault("IotInstanceId", connection.instance_id)
    address = urlsplit(normalize_endpoint(connection.endpoint, connection.region))
    return chosen.write(
        CodeCall(
            operation,
            params,
            connection.region,
            host=address.netloc,
            scheme=address.scheme,
            token=bool(connection.security_token),
        )
    )


def _instance(request: CloudRequest) -> str:
    return request.connection.instance_id


# -- suggestions -------------------------------------------------------------------------------------------------------


@require_GET
def suggest(request: CloudRequest, kind: str) -> HttpResponse:
    """Options for a field's list: products, groups with what is typed in their names, or the devices of a product whose
    names begin with it.

    `?field=` and `?product_field=` name the parameters of the address that hold what is typed and the product.
    """
    typed = request.GET.get(request.GET.get("field", ""), "").strip()
    options: list[tuple[str, str]] = []
    try:
        if kind == "products":
            options = [
                (product.key, product.name) for product in products_api.list_newest_products(request.gateway)
            ]
        elif kind == "groups":
            found = groups_api.list_groups(request.gateway, name=typed, size=SUGGESTED).groups
            options = [(group.id, group.name) for group in found]
        elif kind == "devices":
            options = _devices(
                request, request.GET.get(request.GET.get("product_field", ""), "").strip(), typed
            )
        else:
            raise Http404
    except (CloudError, PermissionRefused):
        options = []  # suggestions are a help: without them the name is typed
    return render(request, "explorer/_options.html", {"options": options})


def _devices(request: CloudRequest, product: str, typed: str) -> list[tuple[str, str]]:
    if not product:
        return []
    found = devices_api.list_devices(
        request.gateway,
        DeviceFilter(product_key=product, text=typed if len(typed) > 3 else ""),
        size=SUGGESTED,
    )
    return [(device.name, device.nickname) for device in found.devices]


# -- the history -------------------------------------------------------------------------------------------------------


class HistoryFilters(FilterForm):
    """What a person looks for among their own calls."""

    operation = django_forms.ChoiceField(label=gettext_lazy("Operation"), required=False)
    outcome = django_forms.ChoiceField(label=gettext_lazy("Outcome"), required=False)

    def __init__(self, request: CloudRequest) -> None:
        own = ExplorerCall.objects.of(request.membership.user, request.connection)
        names = sorted(set(own.values_list("operation", flat=True)))
        outcomes = [
            choice for choice in ExplorerCall._meta.get_field("outcome").choices or () if choice[0] != "open"
        ]
        every = ("", _("All"))
        super().__init__(request)
        # On the form's own fields: those of the class are shared with whoever asks at the same moment.
        self.fields["operation"].choices = [every, *((name, name) for name in names)]  # type: ignore[attr-defined]
        self.fields["outcome"].choices = [every, *outcomes]  # type: ignore[attr-defined]
        self.full_clean()


@require_GET
def calls(request: CloudRequest) -> HttpResponse:
    """The person's own calls on this connection, newest first."""
    filters = HistoryFilters(request)
    own = ExplorerCall.objects.of(request.membership.user, request.connection).filter(**filters.values)
    number, size = page_number(request), page_size(request)
    rows = list(own[(number - 1) * size : number * size])
    empty = Empty(
        title=gettext_lazy("No calls yet"),
        text=gettext_lazy("What you send from the explorer is listed here, for you alone."),
        icon="history",
        url=curl(request, "explorer:list"),
        action=gettext_lazy("Find an operation"),
    )
    table = CALLS.bind(request, rows, page=Page(number, size, own.count()), empty=empty)
    return render(request, "explorer/history.html", {"table": table, "filters": filters})
