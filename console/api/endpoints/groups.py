"""Device groups: a tree of three levels."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.http import ApiRequest, gateway_of
from console.api.problems import Problem, not_valid
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.groups import api

router = Router(tags=["Groups"])
_TAG = re.compile(r"[A-Za-z0-9.]{2,30}")


class Group(Schema):
    """A group as lists tell it."""

    id: str
    name: str
    description: str
    created_at: Moment | None

    @classmethod
    def of(cls, group: api.Group) -> Group:
        return cls(id=group.id, name=group.name, description=group.description, created_at=group.created)


class GroupDetail(Group):
    """A group with its counts of devices and the groups it lies in."""

    device_count: int
    activated_count: int
    online_count: int
    path: list[Group] = Field(description="The groups above it, the topmost first.")
    tags: dict[str, str]


class NewGroup(Body):
    """A group to make."""

    name: str = Field(
        min_length=4, max_length=30, description="Letters, digits and underscores. Fixed once made."
    )
    description: str = Field("", max_length=100)
    parent: str = Field("", max_length=64, description="The group it is to lie in; empty for a topmost one.")


class GroupChange(Body):
    """What can be changed of a group."""

    description: str = Field(min_length=1, max_length=100)


class TagValue(Body):
    """A tag's value."""

    value: str = Field(
        max_length=128, pattern=r"^[\w-]+$", description="Letters, digits, underscores and hyphens."
    )


class GroupListing(Listing):
    """Which groups."""

    parent: str = Field("", max_length=64, description="Those directly in this group; empty for the topmost.")
    search: str = Field("", max_length=30, description="Part of a name, on every level.")


class DeviceNamed(Schema):
    """A device, by its names."""

    product_key: str = Field(max_length=64)
    name: str = Field(max_length=64)


class GroupDevice(DeviceNamed):
    """A device of a group."""

    iot_id: str
    product_name: str


class DevicesToAdd(Body):
    """Devices of one product."""

    product_key: str = Field(max_length=64)
    names: list[str] = Field(min_length=1, max_length=api.MAX_DEVICES_PER_CALL)


class DevicesToRemove(Body):
    """Devices of any products."""

    devices: list[DeviceNamed] = Field(min_length=1, max_length=api.MAX_DEVICES_PER_CALL)


class Added(Schema):
    """What became of the devices: the platform tells counts only, beside the names it does not know."""

    unknown: list[str] = Field(description="Names that the product has not.")
    added: int
    already: int = Field(description="How many were in the group before.")
    full: int = Field(description="How many are in ten groups already, the most.")


class Removed(Schema):
    """How many devices were taken out."""

    removed: int


@router.get("/{slug:connection}/groups", response=Page[Group])
def list_groups(request: ApiRequest, connection: str, listing: Query[GroupListing]) -> Page[Group]:
    """List groups of one level of the tree, or those whose name has a text in it."""
    place = Place.of(listing)
    found = api.list_groups(
        gateway_of(request, connection),
        parent=listing.parent,
        name=listing.search,
        page=place.number,
        size=place.size,
    )
    return place.page(map(Group.of, found.groups), found.total)


@router.post("/{slug:connection}/groups", response={201: Group})
def create_group(request: ApiRequest, connection: str, body: NewGroup) -> Status[Group]:
    """Make a group."""
    gateway = gateway_of(request, connection)
    made = api.create_group(gateway, name=body.name, description=body.description, parent=body.parent)
    return Status(201, Group.of(made))


@router.get("/{slug:connection}/groups/{group_id}", response=GroupDetail)
def get_group(request: ApiRequest, connection: str, group_id: str) -> GroupDetail:
    """Tell of one group."""
    found, tags = api.get_group_with_tags(gateway_of(request, connection), group_id)
    return GroupDetail(
        id=found.id,
        name=found.name,
        description=found.description,
        created_at=found.created,
        device_count=found.devices,
        activated_count=found.active,
        online_count=found.online,
        path=[Group.of(above) for above in found.path],
        tags={tag.key: tag.value for tag in tags},
    )


@router.patch("/{slug:connection}/groups/{group_id}", response={204: None})
def edit_group(request: ApiRequest, connection: str, group_id: str, body: GroupChange) -> Status[None]:
    """Change a group's description; the platform lets nothing else of it be changed."""
    api.update_group(gateway_of(request, connection), group_id, description=body.description)
    return Status(204, None)


@router.delete("/{slug:connection}/groups/{group_id}", response={204: None})
def delete_group(request: ApiRequest, connection: str, group_id: str) -> Status[None]:
    """Delete a group; its devices stay. Refused while it has subgroups."""
    api.delete_group(gateway_of(request, connection), group_id)
    return Status(204, None)


@router.put("/{slug:connection}/groups/{group_id}/tags/{tag}", response={204: None})
def set_group_tag(
    request: ApiRequest, connection: str, group_id: str, tag: str, body: TagValue
) -> Status[None]:
    """Add a tag to a group, or give the one of that key another value."""
    gateway = gateway_of(request, connection)
    gateway.require(api.TAG)
    if not _TAG.fullmatch(tag):
        raise not_valid([("tag", _("2 to 30 letters, digits and periods (.)."))])
    found = api.list_tags(gateway, group_id)
    tags = {one.key: one for one in found} | {tag: api.Tag(tag, body.value)}
    if len(tags) > api.MAX_TAGS:
        raise Problem("limit-reached", _("A group has at most %(most)d tags.") % {"most": api.MAX_TAGS})
    api.set_tags(gateway, group_id, list(tags.values()), current=found)
    return Status(204, None)


@router.delete("/{slug:connection}/groups/{group_id}/tags/{tag}", response={204: None})
def remove_group_tag(request: ApiRequest, connection: str, group_id: str, tag: str) -> Status[None]:
    """Take a tag off a group."""
    gateway = gateway_of(request, connection)
    gateway.require(api.TAG)
    api.remove_tag(gateway, group_id, tag)
    return Status(204, None)


@router.get("/{slug:connection}/groups/{group_id}/devices", response=Page[GroupDevice])
def list_group_devices(
    request: ApiRequest, connection: str, group_id: str, listing: Query[Listing]
) -> Page[GroupDevice]:
    """List the devices of a group."""
    place = Place.of(listing)
    found = api.list_devices(gateway_of(request, connection), group_id, page=place.number, size=place.size)
    devices = (
        GroupDevice(
            product_key=device.product_key,
            name=device.name,
            iot_id=device.iot_id,
            product_name=device.product_name,
        )
        for device in found.devices
    )
    return place.page(devices, found.total)


@router.post("/{slug:connection}/groups/{group_id}/devices", response=Added)
def add_group_devices(request: ApiRequest, connection: str, group_id: str, body: DevicesToAdd) -> Added:
    """Put up to 200 devices of a product into a group."""
    names = list(dict.fromkeys(body.names))
    done = api.add_devices(gateway_of(request, connection), group_id, body.product_key, names)
    return Added(unknown=list(done.unknown), added=done.added, already=done.already, full=done.full)


@router.post("/{slug:connection}/groups/{group_id}/devices/remove", response=Removed)
def remove_group_devices(
    request: ApiRequest, connection: str, group_id: str, body: DevicesToRemove
) -> Removed:
    """Take up to 200 devices out of a group; they are not deleted."""
    pairs = [(device.product_key, device.name) for device in body.devices]
    return Removed(removed=api.remove_devices(gateway_of(request, connection), group_id, pairs))
