"""Typed calls for topics: the topic categories of products, and the routes between topics of devices.

Every function takes the gateway of the acting user. Only this module makes calls. Every function raises PermissionRefused
and the CloudError family.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext

from console.areas.messaging.records import (
    SHORT_NAME,
    Route,
    TopicCategory,
    parse_topic,
    to_categories,
    to_failures,
    to_topics,
)
from console.connections.gateway import Call, Gateway
from iot_client.catalogue import operation
from iot_client.errors import CloudError, NotFound, ServiceError

__all__ = ["SHORT_NAME", "Route", "TopicCategory", "parse_topic"]

LIST, CREATE, UPDATE, DELETE = (
    "QueryProductTopic",
    "CreateProductTopic",
    "UpdateProductTopic",
    "DeleteProductTopic",
)
TARGETS, SOURCES = "QueryTopicRouteTable", "QueryTopicReverseRouteTable"
CREATE_ROUTES, DELETE_ROUTES = "CreateTopicRouteTable", "DeleteTopicRouteTable"
MAX_CATEGORIES = 50
"""Maximum number of topic categories of a product (iot.messagebroker.TopicTemplateCountExceedMax)."""
MAX_TARGETS = operation(CREATE_ROUTES).parameters["DstTopic.N"].max_items or 0
"""Maximum number of target topics of a source topic, and of one call."""
Problem = tuple[str, str]
"""The name of a value, and what is wrong with it."""

# -- topic categories --------------------------------------------------------------------------------------------------


def name_topic(product_key: str, short_name: str) -> str:
    """Return the topics of a category in full, with ${deviceName} for the name of the device."""
    return f"/{product_key}/${{deviceName}}/user/{short_name}"


def list_categories(gateway: Gateway, product_key: str, *, fresh: bool = False) -> list[TopicCategory]:
    """Return the topic categories of a product, in the order of their creation."""
    return to_categories(gateway.call(LIST, fresh=fresh, ProductKey=product_key), product_key)


def get_category(
    gateway: Gateway, product_key: str, short_name: str = "", *, topic_id: str = "", fresh: bool = False
) -> TopicCategory:
    """Return the topic category with this short name or ID. Raises NotFound."""
    for category in list_categories(gateway, product_key, fresh=fresh):
        if short_name == category.short_name or topic_id == category.id:
            return category
    raise NotFound("iot.messagebroker.TopicTemplateIsNotFound", operation=LIST)


def check_description(category: TopicCategory, description: str) -> list[Problem]:
    """Check the new description of a topic category. The name is `description`."""
    if category.description and not description:
        return [
            ("description", gettext("The platform cannot remove a description. Enter another description."))
        ]
    return []


def create_category(
    gateway: Gateway, product_key: str, *, short_name: str, permission: str, description: str = ""
) -> str:
    """Create a topic category. Returns its ID. Raises AlreadyExists, and LimitExceeded for more than MAX_CATEGORIES."""
    response = gateway.call(
        CREATE,
        target=name_topic(product_key, short_name),
        ProductKey=product_key,
        TopicShortName=short_name,
        Operation=permission,
        Desc=description or None,
    )
    return str(response.get("TopicId") or "")


def update_category(
    gateway: Gateway, category: TopicCategory, *, short_name: str, permission: str, description: str
) -> None:
    """Change a topic category; `category` is the present one. Raises AlreadyExists."""
    before = {
        "TopicShortName": category.short_name,
        "Operation": category.permission,
        "Desc": category.description,
    }
    gateway.call(
        UPDATE,
        target=category.topic,
        before=before,
        TopicId=category.id,
        TopicShortName=short_name,
        Operation=permission,
        Desc=description or None,
    )


def delete_category(gateway: Gateway, category: TopicCategory) -> None:
    gateway.call(DELETE, target=category.topic, TopicId=category.id)


def delete_categories(
    gateway: Gateway, product_key: str, categories: Sequence[tuple[str, str]]
) -> list[CloudError | None]:
    """Delete several topic categories of a product: pairs of ID and short name. Returns one entry for each: None, or the error.

    The categories are read first. One that the product does not have under this name is an error, and no call is sent for it: the
    platform looks only at the ID, but users confirm, approve and later find the deletion by the name.
    """
    present = {
        (category.id, category.short_name) for category in list_categories(gateway, product_key, fresh=True)
    }
    found = [category for category in categories if category in present]
    responses = gateway.call_each(
        DELETE,
        plan_category_deletions(topic_id for topic_id, _short_name in found),
        targets=[name_topic(product_key, short_name) for _topic_id, short_name in found],
    )
    errors: dict[tuple[str, str], CloudError | None] = {
        category: NotFound("iot.messagebroker.TopicTemplateIsNotFound", operation=DELETE)
        for category in categories
    }
    for category, response in zip(found, responses, strict=True):
        errors[category] = response if isinstance(response, CloudError) else None
    return [errors[category] for category in categories]


def plan_category_deletions(topic_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return the parameters of the calls that delete topic categories."""
    return [{"TopicId": topic_id} for topic_id in topic_ids]


# -- routes ------------------------------------------------------------------------------------------------------------


def list_routes(gateway: Gateway, topic: str) -> tuple[list[Route], list[Route]]:
    """Return the routes from a topic, and those to it. 2 calls in parallel."""
    targets, sources = gateway.gather([Call(TARGETS, {"Topic": topic}), Call(SOURCES, {"Topic": topic})])
    if isinstance(targets, CloudError):
        raise targets
    if isinstance(sources, CloudError):
        raise sources
    return (
        [Route(topic, target) for target in to_topics(targets, "DstTopics.Topic[]")],
        [Route(source, topic) for source in to_topics(sources, "SrcTopics.Topic[]")],
    )


def check_routes(source: str, targets: Sequence[str]) -> list[Problem]:
    """Check the topics of new routes. The names are `source` and `targets`."""
    problems: list[Problem] = []
    hint = gettext(
        "“%(topic)s” is not a custom topic of a device. Enter /ProductKey/DeviceName/user/… in full."
    )
    if parse_topic(source) is None:
        problems.append(("source", hint % {"topic": source}))
    problems += [("targets", hint % {"topic": target}) for target in targets if parse_topic(target) is None]
    if source in targets:
        problems.append(("targets", gettext("The source topic cannot be a target. Remove it from the list.")))
    return problems


def create_routes(gateway: Gateway, source: str, targets: Sequence[str]) -> list[str]:
    """Create routes from a topic to up to MAX_TARGETS others. Returns the targets that the platform refused; it gives no reason.
    Raises Conflict if the device of the source was never activated, LimitExceeded if the source would have too many targets."""
    return to_failures(gateway.call(CREATE_ROUTES, SrcTopic=source, DstTopic=list(targets)), targets)


def delete_routes(gateway: Gateway, routes: Sequence[Route]) -> list[CloudError | None]:
    """Delete routes, with one call for each source topic. Returns one entry for each route: None, or the error."""
    calls = plan_route_deletions(routes)
    errors: dict[Route, CloudError] = {}
    for call, response in zip(calls, gateway.call_each(DELETE_ROUTES, calls), strict=True):
        source, listed = call["SrcTopic"], call["DstTopic"]
        if isinstance(response, CloudError):
            errors |= {Route(source, target): response for target in listed}
        else:
            refusal = ServiceError("iot.messagebroker.DeleteTopicRouteFailed", operation=DELETE_ROUTES)
            errors |= {Route(source, target): refusal for target in to_failures(response, listed)}
    return [errors.get(route) for route in routes]


def plan_route_deletions(routes: Iterable[Route]) -> list[dict[str, Any]]:
    """Return the parameters of the calls that delete routes: one call for each source topic."""
    targets: dict[str, list[str]] = {}
    for route in routes:
        targets.setdefault(route.source, []).append(route.target)
    return [{"SrcTopic": source, "DstTopic": listed} for source, listed in targets.items()]
