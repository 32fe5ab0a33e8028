"""What can be done to topic categories and to topic routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.messaging import api
from console.areas.messaging.api import Route, TopicCategory
from console.areas.messaging.approval import list_deletion_effects
from console.areas.messaging.forms import CategoryForm, RouteFilters, RoutesForm
from console.areas.messaging.tables import build_routes_url
from console.areas.products import api as products_api
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.creation import Creation
from console.ui.format import join_sentences, number
from console.ui.links import connection_url
from iot_client.errors import CloudError, InvalidParameter
from iot_client.paging import Page

# -- topic categories --------------------------------------------------------------------------------------------------

_FIELDS = {
    "TopicShortName": "short_name",
    "TopicAlreadyFound": "short_name",  # an error code
    "Operation": "permission",
    "Desc": "description",
}


def _create(request: CloudRequest, values: Mapping[str, Any], product_key: str) -> Done:
    api.create_category(request.gateway, product_key, **values)
    message = gettext("Topic category %(name)s created.") % {"name": values["short_name"]}
    return Done(message, connection_url(request, "messaging:topics", product_key))


CREATE = Creation(
    _("Create topic category"),
    api.CREATE,
    form=lambda request, product_key: CategoryForm(request),
    run=_create,
    crumbs=[(_("Topic categories"), "messaging:list")],
    text=_("Each device of the product gets a topic of this category."),
    fields=_FIELDS,
)


def _save(request: CloudRequest, category: TopicCategory, values: Mapping[str, Any]) -> Done:
    api.update_category(request.gateway, category, **values)
    return Done(gettext("Changes saved."))


EDIT: Action[TopicCategory] = Action(
    "edit",
    api.UPDATE,
    _("Save"),
    run=_save,
    ask=lambda request, category: Question(
        gettext("Edit topic category %(name)s") % {"name": category.short_name},
        gettext(
            "If you change the name, devices must use the new topics. Routes from and to the old topics stop working."
        ),
    ),
    form=CategoryForm,
    fresh=True,
    fields=_FIELDS,
)


def _ask_to_delete(request: CloudRequest, category: TopicCategory) -> Question:
    devices = products_api.get_product(request.gateway, category.product_key).product.devices
    affected = ngettext(
        "%(count)s device of the product is affected.",
        "%(count)s devices of the product are affected.",
        devices,
    )
    return Question(
        gettext("Delete topic category %(name)s?") % {"name": category.short_name},
        effects=[affected % {"count": number(devices)}, *list_deletion_effects()],
        expected=category.short_name,
        expected_label=gettext("Name"),
        planned={"TopicId": category.id},
    )


def _delete(request: CloudRequest, category: TopicCategory, values: Mapping[str, Any]) -> Done:
    api.delete_category(request.gateway, category)
    message = gettext("Topic category %(name)s deleted.") % {"name": category.short_name}
    return Done(message, connection_url(request, "messaging:topics", category.product_key))


DELETE: Action[TopicCategory] = Action(
    "delete",
    api.DELETE,
    _("Delete topic category"),
    run=_delete,
    ask=_ask_to_delete,
    danger=True,
    deletes=True,
)


def _ask_to_delete_categories(count: int) -> Question:
    title = ngettext("Delete %(count)s topic category?", "Delete %(count)s topic categories?", count)
    return Question(title % {"count": number(count)}, join_sentences(list_deletion_effects()))


def _delete_categories(
    gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]
) -> list[CloudError | None]:
    return api.delete_categories(gateway, ids["product_key"], list(map(TopicCategory.split_key, keys)))


def _is_key(key: str) -> bool:
    topic_id, short_name = TopicCategory.split_key(key)
    return topic_id.isdecimal() and bool(short_name)


BULK_DELETE = Bulk(
    "delete",
    api.DELETE,
    _("Delete"),
    "trash",
    gettext_noop(
        "Delete several topic categories of a product. Routes from and to their topics stop working."
    ),
    ask=_ask_to_delete_categories,
    run=_delete_categories,
    danger=True,
    plan=lambda keys: api.plan_category_deletions(TopicCategory.split_key(key)[0] for key in keys),
    typed=(
        _("Name"),
        lambda count: (
            ngettext("delete %(count)d topic category", "delete %(count)d topic categories", count)
            % {"count": count}
        ),
    ),
)

CATEGORY_BULK: BulkPages[TopicCategory] = BulkPages(
    name="messaging:bulk-topics",
    address="products/<id:product_key>/topics/",
    list_name="messaging:topics",
    list_label=_("Topic categories"),
    actions=(BULK_DELETE,),
    key=lambda category: category.key,
    keys_help=gettext_noop("`id/short_name` of each topic category."),
    read_matching=lambda gateway, filters, ids, start: iter(
        [Page(api.list_categories(gateway, ids["product_key"], fresh=True))]
    ),
    is_key=_is_key,
    name_of=lambda key: TopicCategory.split_key(key)[1],
)

# -- routes ------------------------------------------------------------------------------------------------------------


def _build_routes_form(request: CloudRequest) -> RoutesForm:
    """Return the form. `?topic=` is the source topic."""
    if request.method == "POST":
        return RoutesForm(request.POST)
    return RoutesForm(initial={"source": request.GET.get("topic", "")})


def _create_routes(request: CloudRequest, values: Mapping[str, Any]) -> Done:
    """Create the routes. Raises InvalidParameter with the targets that the platform refused; the form keeps the input."""
    source, targets = values["source"], values["targets"]
    failed = api.create_routes(request.gateway, source, targets)
    if failed:
        counts = gettext(
            "%(done)s of %(all)s routes created. The platform rejected the topics below. Check that their"
            " devices and topic categories exist"
        )
        counts %= {"done": number(len(targets) - len(failed)), "all": number(len(targets))}
        refusals = [gettext("Rejected: %(topic)s") % {"topic": target} for target in failed]
        code, problems = "iot.messagebroker.CreateTopicRouteFailed", {"DstTopic": [counts, *refusals]}
        raise InvalidParameter(code, operation=api.CREATE_ROUTES, problems=problems)
    message = ngettext("%(count)s route created.", "%(count)s routes created.", len(targets))
    return Done(message % {"count": number(len(targets))}, build_routes_url(request, source))


CREATE_ROUTES = Creation(
    _("Create routes"),
    api.CREATE_ROUTES,
    form=_build_routes_form,
    run=_create_routes,
    crumbs=[(_("Topic routes"), "messaging:routes")],
    text=_("The platform forwards each message of the source topic to all target topics."),
    fields={"SrcTopic": "source", "DstTopic": "targets"},
)


def _ask_to_delete_routes(count: int) -> Question:
    title = ngettext("Delete %(count)s route?", "Delete %(count)s routes?", count)
    text = gettext(
        "Messages are no longer forwarded to the target topics. The topics themselves are not deleted."
    )
    return Question(title % {"count": number(count)}, text)


BULK_DELETE_ROUTES = Bulk(
    "delete",
    api.DELETE_ROUTES,
    _("Delete"),
    "trash",
    gettext_noop("Delete several topic routes. The topics themselves are not deleted."),
    ask=_ask_to_delete_routes,
    run=lambda gateway, keys, ids: api.delete_routes(gateway, [*map(Route.from_key, keys)]),
    direct=api.MAX_TARGETS,
    danger=True,
    plan=lambda keys: api.plan_route_deletions(map(Route.from_key, keys)),
)


def _read_routes(
    gateway: Gateway, filters: RouteFilters, ids: Mapping[str, str], start: object
) -> Iterator[Page[Sequence[Route]]]:
    """Yield the routes from the topic of the filter; none without a topic."""
    source = filters.values.get("source", "")
    yield Page(api.list_routes(gateway, source)[0] if source else [])


ROUTE_BULK: BulkPages[Route] = BulkPages(
    name="messaging:bulk-routes",
    address="routes/",
    list_name="messaging:routes",
    list_label=_("Topic routes"),
    actions=(BULK_DELETE_ROUTES,),
    key=lambda route: route.key,
    keys_help=gettext_noop("Source topic and target topic of each route, with a space between them."),
    read_matching=_read_routes,
    filters=RouteFilters,
    is_key=lambda key: key.startswith("/") and key.count(" /") == 1,
    name_of=lambda key: key.replace(" ", " → "),
)
