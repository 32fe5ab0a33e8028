"""Topics: the topic categories of products, and the routes between topics of devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schemas import RequestBody
from console.areas.messaging import api

router = Router(tags=[gettext_noop("Messages and topics")])


class TopicCategoryValues(RequestBody):
    """The values of a topic category."""

    short_name: str = Field(
        pattern=rf"^{api.SHORT_NAME}$",
        max_length=128,
        description=gettext_noop(
            "The part of the topics after `/user/`: English letters, digits and underscores; slashes separate levels."
        ),
    )
    permission: Literal["PUB", "SUB", "ALL"] = Field(
        description=gettext_noop("What devices may do: PUB (publish), SUB (subscribe) or ALL (both).")
    )
    description: str = Field(
        "", max_length=100, description=gettext_noop("Can be changed later, but not removed.")
    )


class TopicCategory(Schema):
    """A topic category of a product: each device has a topic of it."""

    id: str
    topic: str = Field(description="The topics in full, with ${deviceName} for the name of the device.")
    short_name: str
    permission: str
    description: str


class CreatedTopicCategory(Schema):
    """The new topic category."""

    id: str


class TopicRoutes(Schema):
    """The routes of a topic."""

    targets: list[str] = Field(description="The topics to which the messages of the topic are forwarded.")
    sources: list[str] = Field(description="The topics whose messages are forwarded to the topic.")


class TopicQuery(Schema):
    """Selects a topic."""

    topic: str = Field(max_length=256, description=gettext_noop("A custom topic of a device in full."))


Topic = Annotated[str, Field(max_length=256)]


class RoutesBody(RequestBody):
    """Routes from one topic to others."""

    source: Topic
    targets: list[Topic] = Field(min_length=1, max_length=api.MAX_TARGETS)


class RouteFailures(Schema):
    """The outcome of a request about several routes."""

    failed: list[str] = Field(description="The target topics that the platform refused. It gives no reason.")


@router.get(
    "/{slug:connection}/products/{product_key}/topics",
    response=list[TopicCategory],
    description=gettext_noop("List the topic categories of a product. At most 50."),
)
def list_topic_categories(request: ApiRequest, connection: str, product_key: str) -> list[api.TopicCategory]:
    return api.list_categories(open_gateway(request, connection), product_key)


@router.post(
    "/{slug:connection}/products/{product_key}/topics",
    response={201: CreatedTopicCategory},
    description=gettext_noop("Create a topic category."),
)
def create_topic_category(
    request: ApiRequest, connection: str, product_key: str, body: TopicCategoryValues
) -> Status[CreatedTopicCategory]:
    topic_id = api.create_category(open_gateway(request, connection), product_key, **body.model_dump())
    return Status(201, CreatedTopicCategory(id=topic_id))


@router.put(
    "/{slug:connection}/products/{product_key}/topics/{topic_category_id}",
    response={204: None},
    description=gettext_noop(
        "Edit a topic category. All fields are written. A new name changes the topics of the devices."
    ),
)
def edit_topic_category(
    request: ApiRequest, connection: str, product_key: str, topic_category_id: str, body: TopicCategoryValues
) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.UPDATE)
    category = api.get_category(gateway, product_key, topic_id=topic_category_id, fresh=True)
    _refuse(api.check_description(category, body.description))
    api.update_category(gateway, category, **body.model_dump())
    return Status(204, None)


@router.delete(
    "/{slug:connection}/products/{product_key}/topics/{topic_category_id}",
    response={204: None, 202: Approval},
    description=gettext_noop("Delete a topic category. Routes from and to its topics stop working."),
)
def delete_topic_category(
    request: ApiRequest, connection: str, product_key: str, topic_category_id: str
) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.DELETE)
    api.delete_category(
        gateway, api.get_category(gateway, product_key, topic_id=topic_category_id, fresh=True)
    )
    return Status(204, None)


@router.get(
    "/{slug:connection}/topic-routes",
    response=TopicRoutes,
    description=gettext_noop("List the routes from and to a topic of a device."),
)
def list_topic_routes(request: ApiRequest, connection: str, query: Query[TopicQuery]) -> TopicRoutes:
    targets, sources = api.list_routes(open_gateway(request, connection), query.topic)
    return TopicRoutes(
        targets=[route.target for route in targets], sources=[route.source for route in sources]
    )


@router.post(
    "/{slug:connection}/topic-routes",
    response=RouteFailures,
    description=gettext_noop(
        "Forward the messages of a topic to up to 100 others. The platform may reject some of them."
    ),
)
def create_topic_routes(request: ApiRequest, connection: str, body: RoutesBody) -> RouteFailures:
    gateway = open_gateway(request, connection)
    gateway.require(api.CREATE_ROUTES)
    targets = list(dict.fromkeys(body.targets))
    _refuse(api.check_routes(body.source, targets))
    return RouteFailures(failed=api.create_routes(gateway, body.source, targets))


def _refuse(problems: Sequence[api.Problem]) -> None:
    """Raises Problem if there are problems."""
    if problems:
        raise validation_problem(problems)
