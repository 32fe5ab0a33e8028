"""Devices. Registering many is a job (registrations.py)."""

from __future__ import annotations

from typing import Literal

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, gateway_of
from console.api.problems import not_valid
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.devices import api

router = Router(tags=["Devices"])
STATUS = Literal["ONLINE", "OFFLINE", "UNACTIVE", "DISABLE"]


class Device(Schema):
    """A device as lists tell it; what the platform does not tell is empty."""

    product_key: str
    name: str
    iot_id: str
    nickname: str
    status: str = Field(description="ONLINE, OFFLINE, UNACTIVE (never connected) or DISABLE.")
    created_at: Moment | None
    activated_at: Moment | None

    @classmethod
    def of(cls, device: api.Device) -> Device:
        return cls(
            product_key=device.product_key,
            name=device.name,
            iot_id=device.iot_id,
            nickname=device.nickname,
            status=device.status,
            created_at=device.created,
            activated_at=device.activated,
        )


class DeviceDetail(Device):
    """A device. Its secret is not told to programs."""

    product_name: str
    node_type: Literal["device", "gateway"]
    firmware: str
    ip: str
    region: str
    online_at: Moment | None = Field(description="When it connected last.")
    tags: dict[str, str]


class DevicePage(Page[Device]):
    """Part of a list of devices."""

    match: str = Field(
        description="How the search was done: complete, prefix (names that begin so), exact (whole names), or newest"
        " (neither was found; the newest devices that have it anywhere)."
    )


class Registered(Schema):
    """A new device. Its secret is shown in the console only."""

    product_key: str
    name: str
    iot_id: str


class NewDevice(Body):
    """A device to register."""

    product_key: str = Field(max_length=64)
    name: str = Field(
        "",
        max_length=64,
        description="4 to 32 letters, digits or - _ @ . : – made up by the platform when empty.",
    )
    nickname: str = Field("", max_length=64)


class DeviceChange(Body):
    """What can be changed of a device."""

    nickname: str = Field(max_length=64, description="Empty: none.")


class TagValue(Body):
    """A tag's value."""

    value: str = Field(min_length=1, max_length=1024)


class DeviceGroup(Schema):
    """A group that a device is in."""

    id: str
    name: str
    description: str
    dynamic: bool = Field(description="Whether its devices follow a rule, and cannot be set.")


class ModuleVersion(Schema):
    """What a module of a device last reported to run."""

    module: str
    version: str


class DeviceUpdate(Schema):
    """An update of a device that has not ended."""

    batch_id: str
    task_id: str
    module: str
    source_version: str
    version: str
    status: str = Field(description="CONFIRM, QUEUED, NOTIFIED or IN_PROGRESS.")
    modified_at: Moment | None


class DeviceUpdates(Schema):
    """What a device runs, and what it is to run."""

    versions: list[ModuleVersion]
    unfinished: list[DeviceUpdate]


class DeviceNamed(Body):
    """A device, by its names."""

    product_key: str = Field(max_length=64)
    name: str = Field(max_length=64)


class Act(Body):
    """What is to be done to several devices."""

    action: Literal["enable", "disable", "delete"]
    devices: list[DeviceNamed] = Field(min_length=1, max_length=api.PAGE_SIZE)


class Outcome(Schema):
    """What became of one device of several."""

    product_key: str
    name: str
    done: bool
    why: str = Field(description="What went wrong; empty when nothing did.")


class DeviceListing(Listing):
    """Which devices: at least of a product, with a text, or in a state."""

    product_key: str = Field("", max_length=64)
    search: str = Field("", max_length=64, description="The beginning of a name or nickname.")
    search_in: Literal["name", "nickname"] = "name"
    status: STATUS | None = None


class Search(Schema):
    """What is looked for."""

    text: str = Field(
        min_length=1, max_length=64, description="A device name, the beginning of one, or an IotId."
    )


class Found(Schema):
    """What a search of all products found."""

    exact: list[Device] = Field(description="Devices of exactly this name or IotId.")
    beginning: list[Device] = Field(description="Devices whose name begins so: the first 50.")


@router.get("/{slug:connection}/devices", response=DevicePage)
def list_devices(request: ApiRequest, connection: str, listing: Query[DeviceListing]) -> DevicePage:
    """List the devices of a product, in a state, or found by the beginning of their name. Newest first, searches oldest first."""
    gateway = gateway_of(request, connection)
    place = Place.of(listing)
    wanted = api.DeviceFilter(listing.product_key, listing.search, listing.search_in, listing.status or "")
    if not (wanted.product_key or wanted.text or wanted.status):
        raise not_valid([("product_key", _("Name a product, a text to search for, or a state."))])
    found = api.list_devices(gateway, wanted, page=place.number, size=place.size, token=place.rest)
    page = place.page(map(Device.of, found.devices), found.total, rest=found.next_token)
    return DevicePage(**page.__dict__, match=found.match.value)


@router.get("/{slug:connection}/devices-search", response=Found)
def search_devices(request: ApiRequest, connection: str, search: Query[Search]) -> Found:
    """Look for a device in all products."""
    found = api.search(gateway_of(request, connection), search.text)
    return Found(
        exact=[Device.of(device) for device in found.exact_matches],
        beginning=[Device.of(device) for device in found.prefix_matches],
    )


@router.post("/{slug:connection}/devices-act", response={200: list[Outcome], 202: Approval})
def act_on_devices(request: ApiRequest, connection: str, body: Act) -> list[Outcome]:
    """Enable, disable or delete up to 50 devices. One that fails does not stop the others."""
    gateway = gateway_of(request, connection)
    gateway.require(api.ACTIONS[body.action])
    named = list(dict.fromkeys((one.product_key, one.name) for one in body.devices))
    return [
        Outcome(
            product_key=outcome.product_key,
            name=outcome.name,
            done=outcome.error is None,
            why=_(outcome.error_title) if outcome.error else "",
        )
        for outcome in api.apply_action(gateway, body.action, named)
    ]


@router.post("/{slug:connection}/devices", response={201: Registered})
def register_device(request: ApiRequest, connection: str, body: NewDevice) -> Status[Registered]:
    """Register one device."""
    made = api.register_device(
        gateway_of(request, connection), body.product_key, name=body.name, nickname=body.nickname
    )
    return Status(201, Registered(product_key=made.product_key, name=made.name, iot_id=made.iot_id))


@router.get("/{slug:connection}/devices/{product_key}/{name}", response=DeviceDetail)
def get_device(request: ApiRequest, connection: str, product_key: str, name: str) -> DeviceDetail:
    """Tell of one device."""
    detail, tags = api.get_device_with_tags(gateway_of(request, connection), product_key, name)
    return DeviceDetail(
        **Device.of(detail.device).model_dump(),
        product_name=detail.product_name,
        node_type="gateway" if detail.gateway else "device",
        firmware=detail.firmware,
        ip=detail.ip,
        region=detail.region,
        online_at=detail.online,
        tags={tag.key: tag.value for tag in tags},
    )


@router.patch("/{slug:connection}/devices/{product_key}/{name}", response={204: None})
def rename_device(
    request: ApiRequest, connection: str, product_key: str, name: str, body: DeviceChange
) -> Status[None]:
    """Give a device another nickname; its name never changes."""
    api.rename_device(gateway_of(request, connection), product_key, name, body.nickname)
    return Status(204, None)


@router.delete("/{slug:connection}/devices/{product_key}/{name}", response={204: None, 202: Approval})
def delete_device(request: ApiRequest, connection: str, product_key: str, name: str) -> Status[None]:
    """Delete a device for good."""
    api.delete_device(gateway_of(request, connection), product_key, name)
    return Status(204, None)


@router.post("/{slug:connection}/devices/{product_key}/{name}/enable", response={204: None})
def enable_device(request: ApiRequest, connection: str, product_key: str, name: str) -> Status[None]:
    """Let a disabled device connect again."""
    api.enable_device(gateway_of(request, connection), product_key, name)
    return Status(204, None)


@router.post("/{slug:connection}/devices/{product_key}/{name}/disable", response={204: None})
def disable_device(request: ApiRequest, connection: str, product_key: str, name: str) -> Status[None]:
    """Cut a device off: it cannot connect until it is enabled."""
    api.disable_device(gateway_of(request, connection), product_key, name)
    return Status(204, None)


@router.get("/{slug:connection}/devices/{product_key}/{name}/groups", response=list[DeviceGroup])
def list_device_groups(
    request: ApiRequest, connection: str, product_key: str, name: str
) -> list[DeviceGroup]:
    """List the groups that a device is in: ten at most. The groups' own addresses add and remove devices."""
    _detail, groups = api.get_device_with_groups(gateway_of(request, connection), product_key, name)
    return [
        DeviceGroup(id=group.id, name=group.name, description=group.description, dynamic=group.dynamic)
        for group in groups
    ]


@router.get("/{slug:connection}/devices/{product_key}/{name}/updates", response=DeviceUpdates)
def get_device_updates(request: ApiRequest, connection: str, product_key: str, name: str) -> DeviceUpdates:
    """Tell which versions a device runs, and which updates of it have not ended."""
    _detail, versions, tasks = api.get_device_with_updates(gateway_of(request, connection), product_key, name)
    return DeviceUpdates(
        versions=[ModuleVersion(module=one.module, version=one.version) for one in versions],
        unfinished=[
            DeviceUpdate(
                batch_id=task.batch_id,
                task_id=task.task_id,
                module=task.module,
                source_version=task.source,
                version=task.target,
                status=task.status,
                modified_at=task.modified,
            )
            for task in tasks
        ],
    )


@router.put("/{slug:connection}/devices/{product_key}/{name}/tags/{tag}", response={204: None})
def set_device_tag(
    request: ApiRequest, connection: str, product_key: str, name: str, tag: str, body: TagValue
) -> Status[None]:
    """Add a tag to a device, or give the one of that key another value."""
    api.set_tag(gateway_of(request, connection), product_key, name, api.Tag(tag, body.value))
    return Status(204, None)


@router.delete("/{slug:connection}/devices/{product_key}/{name}/tags/{tag}", response={204: None})
def remove_device_tag(
    request: ApiRequest, connection: str, product_key: str, name: str, tag: str
) -> Status[None]:
    """Take a tag off a device."""
    api.remove_tag(gateway_of(request, connection), product_key, name, tag)
    return Status(204, None)
