"""Device groups: a tree of three levels."""

from __future__ import annotations

import re
from typing import Annotated

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.areas.groups import api
from console.pages.tags import Tag

router = Router(tags=[gettext_noop("Groups")])
_TAG = re.compile(r"[A-Za-z0-9.]{2,30}")


class Group(Schema):
    """A group in a list."""

    id: str
    name: str
    description: str
    created_at: Timestamp | None

    @classmethod
    def from_group(cls, group: api.Group) -> Group:
        return cls(id=group.id, name=group.name, description=group.description, created_at=group.created)


class GroupDetail(Group):
    """A group with its device counts and its parent groups."""

    device_count: int
    activated_count: int
    online_count: int
    path: list[Group] = Field(description="Parent groups, starting with the top-level group.")
    tags: dict[str, str]


class NewGroup(RequestBody):
    """A group to create."""

    name: str = Field(
        min_length=4,
        max_length=30,
        description=gettext_noop("Letters, digits, underscores. Cannot be changed later."),
    )
    description: str = Field("", max_length=100)
    parent_id: str = Field(
        "",
        max_length=64,
        description=gettext_noop("ID of the parent group. Leave empty for a top-level group."),
    )


class GroupChange(RequestBody):
    """New description of a group."""

    description: str = Field(min_length=1, max_length=100)


class GroupTagValue(RequestBody):
    """Value of a group tag."""

    value: str = Field(
        max_length=128,
        pattern=r"^[\w-]+$",
        description=gettext_noop("Letters, digits, underscores, hyphens."),
    )


class GroupListQuery(PageQuery):
    """Selects groups."""

    parent_id: str = Field(
        "",
        max_length=64,
        description=gettext_noop(
            "List the direct subgroups of this group. Leave empty for top-level groups."
        ),
    )
    search: str = Field("", max_length=30, description=gettext_noop("Part of a group name, on every level."))


class GroupDevice(Schema):
    """A device of a group."""

    product_key: str
    name: str
    iot_id: str
    product_name: str


class DevicesToAdd(RequestBody):
    """Devices of one product to add to a group."""

    product_key: str = Field(max_length=64)
    device_names: list[Annotated[str, Field(max_length=64)]] = Field(
        min_length=1, max_length=api.MAX_DEVICES_PER_CALL
    )


class AddDevicesResult(Schema):
    """Result of adding devices. The platform returns counts only, and the names that do not exist."""

    not_found: list[str] = Field(description="Device names that do not exist in the product.")
    added: int
    already_in_group: int
    group_limit_reached: int = Field(
        description="Number of devices not added because they are already in 10 groups."
    )


@router.get(
    "/{slug:connection}/groups",
    response=Page[Group],
    description=gettext_noop("List the groups of one level, or search all groups by name."),
)
def list_groups(request: ApiRequest, connection: str, query: Query[GroupListQuery]) -> Page[Group]:
    position = PagePosition.from_query(query)
    page = api.list_groups(
        open_gateway(request, connection),
        parent=query.parent_id,
        name=query.search,
        page=position.number,
        size=position.size,
    )
    return position.build_page(map(Group.from_group, page.groups), page.total)


@router.post("/{slug:connection}/groups", response={201: Group}, description=gettext_noop("Create a group."))
def create_group(request: ApiRequest, connection: str, body: NewGroup) -> Status[Group]:
    gateway = open_gateway(request, connection)
    group = api.create_group(gateway, name=body.name, description=body.description, parent=body.parent_id)
    return Status(201, Group.from_group(group))


@router.get(
    "/{slug:connection}/groups/{group_id}",
    response=GroupDetail,
    description=gettext_noop("Get a group."),
)
def get_group(request: ApiRequest, connection: str, group_id: str) -> GroupDetail:
    group, tags = api.get_group_with_tags(open_gateway(request, connection), group_id)
    return GroupDetail(
        id=group.id,
        name=group.name,
        description=group.description,
        created_at=group.created,
        device_count=group.devices,
        activated_count=group.active,
        online_count=group.online,
        path=[Group.from_group(parent) for parent in group.path],
        tags={tag.key: tag.value for tag in tags},
    )


@router.patch(
    "/{slug:connection}/groups/{group_id}",
    response={204: None},
    description=gettext_noop("Edit the description of a group. Other fields cannot be changed."),
)
def edit_group(request: ApiRequest, connection: str, group_id: str, body: GroupChange) -> Status[None]:
    api.update_group(open_gateway(request, connection), group_id, description=body.description)
    return Status(204, None)


@router.delete(
    "/{slug:connection}/groups/{group_id}",
    response={204: None},
    description=gettext_noop(
        "Delete a group. Its devices are not deleted. Not possible while it has subgroups."
    ),
)
def delete_group(request: ApiRequest, connection: str, group_id: str) -> Status[None]:
    api.delete_group(open_gateway(request, connection), group_id)
    return Status(204, None)


@router.put(
    "/{slug:connection}/groups/{group_id}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Add a group tag, or change its value."),
)
def set_group_tag(
    request: ApiRequest, connection: str, group_id: str, tag: str, body: GroupTagValue
) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.TAG)
    if not _TAG.fullmatch(tag):
        raise validation_problem([("tag", _("Enter 2 to 30 characters: letters, digits, periods."))])
    api.set_tag(gateway, group_id, Tag(tag, body.value))
    return Status(204, None)


@router.delete(
    "/{slug:connection}/groups/{group_id}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Remove a group tag."),
)
def remove_group_tag(request: ApiRequest, connection: str, group_id: str, tag: str) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.TAG)
    api.remove_tag(gateway, group_id, tag)
    return Status(204, None)


@router.get(
    "/{slug:connection}/groups/{group_id}/devices",
    response=Page[GroupDevice],
    description=gettext_noop("List the devices of a group."),
)
def list_group_devices(
    request: ApiRequest, connection: str, group_id: str, query: Query[PageQuery]
) -> Page[GroupDevice]:
    position = PagePosition.from_query(query)
    page = api.list_devices(
        open_gateway(request, connection), group_id, page=position.number, size=position.size
    )
    devices = (
        GroupDevice(
            product_key=device.product_key,
            name=device.name,
            iot_id=device.iot_id,
            product_name=device.product_name,
        )
        for device in page.devices
    )
    return position.build_page(devices, page.total)


@router.post(
    "/{slug:connection}/groups/{group_id}/devices",
    response=AddDevicesResult,
    description=gettext_noop("Add up to 200 devices of a product to a group."),
)
def add_group_devices(
    request: ApiRequest, connection: str, group_id: str, body: DevicesToAdd
) -> AddDevicesResult:
    names = list(dict.fromkeys(body.device_names))
    result = api.add_devices(open_gateway(request, connection), group_id, body.product_key, names)
    return AddDevicesResult(
        not_found=list(result.unknown),
        added=result.added,
        already_in_group=result.already,
        group_limit_reached=result.full,
    )
