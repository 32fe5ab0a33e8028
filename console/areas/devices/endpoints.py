"""Devices. Registering many devices is a job (registrations.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import AfterValidator, Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.areas.devices import api, lists, records, sql
from console.pages.tags import Tag

router = Router(tags=[gettext_noop("Devices")])
DeviceStatus = Literal["ONLINE", "OFFLINE", "UNACTIVE", "DISABLE"]


class Device(Schema):
    """A device in a list. Values that the platform does not return are empty."""

    product_key: str
    name: str
    iot_id: str
    nickname: str
    status: str = Field(description="ONLINE, OFFLINE, UNACTIVE (not activated) or DISABLE.")
    created_at: Timestamp | None

    @classmethod
    def from_device(cls, device: records.Device) -> Device:
        return cls(
            product_key=device.product_key,
            name=device.name,
            iot_id=device.iot_id,
            nickname=device.nickname,
            status=device.status,
            created_at=device.created,
        )


class DeviceDetail(Device):
    """A device. The API never returns its secret."""

    product_name: str
    node_type: Literal["device", "gateway"]
    firmware: str
    ip: str
    region: str
    activated_at: Timestamp | None
    last_online_at: Timestamp | None = Field(description="When the device last connected.")
    tags: dict[str, str]


class DevicePage(Page[Device]):
    """A page of a list of devices."""

    match: str = Field(
        description="How the search was done: complete (all matching devices), prefix (names that start with the text),"
        " exact (full names), or newest (no such name was found; the newest devices that contain the text)."
    )


class RegisteredDevice(Schema):
    """The new device. Its secret is shown only in the console."""

    product_key: str
    name: str
    iot_id: str


class NewDevice(RequestBody):
    """A device to register."""

    product_key: str = Field(max_length=64)
    name: str = Field(
        "",
        max_length=64,
        description=gettext_noop(
            "Leave empty to generate a name. 4 to 32 characters: English letters, digits, - _ . : @."
        ),
    )
    nickname: str = Field("", max_length=64)


class DeviceChange(RequestBody):
    """New nickname of a device."""

    nickname: str = Field(max_length=64, description=gettext_noop("Leave empty to remove the nickname."))


class DeviceTagValue(RequestBody):
    """Value of a device tag."""

    value: str = Field(min_length=1, max_length=1024)


class DeviceGroup(Schema):
    """A group of a device."""

    id: str
    name: str
    description: str
    dynamic: bool = Field(
        description="Whether a rule selects the devices of the group, so that none can be added or removed."
    )


class ModuleVersion(Schema):
    """The version that a module of a device last reported."""

    module: str
    version: str


class DeviceUpdate(Schema):
    """An update of a device that has not finished."""

    batch_id: str
    task_id: str
    module: str
    source_version: str
    target_version: str
    status: str = Field(description="CONFIRM, QUEUED, NOTIFIED or IN_PROGRESS.")
    modified_at: Timestamp | None


class DeviceUpdates(Schema):
    """The versions and the active updates of a device."""

    module_versions: list[ModuleVersion]
    active_updates: list[DeviceUpdate]


def _check_searchable(text: str) -> str:
    if text and not sql.is_searchable(text):
        raise ValueError(sql.UNSEARCHABLE)
    return text


SearchText = Annotated[str, AfterValidator(_check_searchable)]


class DeviceListQuery(PageQuery):
    """Selects devices. At least one of product_key, search and status is required."""

    product_key: SearchText = Field("", max_length=64)
    search: SearchText = Field(
        "", max_length=64, description=gettext_noop("Start of a device name or nickname.")
    )
    search_in: Literal["name", "nickname"] = "name"
    status: DeviceStatus | None = None


class DeviceSearchQuery(Schema):
    """The text to search for."""

    text: SearchText = Field(
        min_length=1,
        max_length=64,
        description=gettext_noop("A device name, the start of one, or an IotId."),
    )


class DeviceSearchResult(Schema):
    """Devices of all products that match a search."""

    exact: list[Device] = Field(description="Devices with exactly this name or IotId.")
    starts_with: list[Device] = Field(description="The first 50 devices whose name starts with the text.")


@router.get(
    "/{slug:connection}/devices",
    response=DevicePage,
    description=gettext_noop(
        "List devices. At least one of `product_key`, `search` and `status` is required. Newest first; searches list the"
        " oldest first."
    ),
)
def list_devices(request: ApiRequest, connection: str, query: Query[DeviceListQuery]) -> DevicePage:
    gateway = open_gateway(request, connection)
    position = PagePosition.from_query(query)
    filters = records.DeviceFilter(query.product_key, query.search, query.search_in, query.status or "")
    if not (filters.product_key or filters.text or filters.status):
        raise validation_problem(
            [("product_key", _("Enter at least one of product_key, search and status."))]
        )
    result = lists.list_devices(
        gateway, filters, page=position.number, size=position.size, token=position.platform_token
    )
    page = position.build_page(
        map(Device.from_device, result.devices), result.total, platform_token=result.next_token
    )
    return DevicePage(**page.__dict__, match=result.match.value)


@router.get(
    "/{slug:connection}/device-search",
    response=DeviceSearchResult,
    description=gettext_noop("Search for a device in all products."),
)
def search_devices(
    request: ApiRequest, connection: str, query: Query[DeviceSearchQuery]
) -> DeviceSearchResult:
    result = lists.search(open_gateway(request, connection), query.text)
    return DeviceSearchResult(
        exact=[Device.from_device(device) for device in result.exact_matches],
        starts_with=[Device.from_device(device) for device in result.prefix_matches],
    )


@router.post(
    "/{slug:connection}/devices",
    response={201: RegisteredDevice},
    description=gettext_noop("Register a device."),
)
def register_device(request: ApiRequest, connection: str, body: NewDevice) -> Status[RegisteredDevice]:
    device = api.register_device(
        open_gateway(request, connection), body.product_key, name=body.name, nickname=body.nickname
    )
    return Status(
        201, RegisteredDevice(product_key=device.product_key, name=device.name, iot_id=device.iot_id)
    )


@router.get(
    "/{slug:connection}/devices/{product_key}/{device_name}",
    response=DeviceDetail,
    description=gettext_noop("Get a device."),
)
def get_device(request: ApiRequest, connection: str, product_key: str, device_name: str) -> DeviceDetail:
    detail, tags = api.get_device_with_tags(open_gateway(request, connection), product_key, device_name)
    return DeviceDetail(
        **Device.from_device(detail.device).model_dump(),
        activated_at=detail.device.activated,
        product_name=detail.product_name,
        node_type="gateway" if detail.gateway else "device",
        firmware=detail.firmware,
        ip=detail.ip,
        region=detail.region,
        last_online_at=detail.online,
        tags={tag.key: tag.value for tag in tags},
    )


@router.patch(
    "/{slug:connection}/devices/{product_key}/{device_name}",
    response={204: None},
    description=gettext_noop("Edit the nickname of a device. Device names cannot be changed."),
)
def edit_device(
    request: ApiRequest, connection: str, product_key: str, device_name: str, body: DeviceChange
) -> Status[None]:
    api.rename_device(open_gateway(request, connection), product_key, device_name, body.nickname)
    return Status(204, None)


@router.delete(
    "/{slug:connection}/devices/{product_key}/{device_name}",
    response={204: None, 202: Approval},
    description=gettext_noop("Permanently delete a device."),
)
def delete_device(request: ApiRequest, connection: str, product_key: str, device_name: str) -> Status[None]:
    api.delete_device(open_gateway(request, connection), product_key, device_name)
    return Status(204, None)


@router.post(
    "/{slug:connection}/devices/{product_key}/{device_name}/enable",
    response={204: None},
    description=gettext_noop("Enable a device. It can connect again."),
)
def enable_device(request: ApiRequest, connection: str, product_key: str, device_name: str) -> Status[None]:
    api.enable_device(open_gateway(request, connection), product_key, device_name)
    return Status(204, None)


@router.post(
    "/{slug:connection}/devices/{product_key}/{device_name}/disable",
    response={204: None},
    description=gettext_noop(
        "Disable a device. It is disconnected immediately and cannot connect until you enable it."
    ),
)
def disable_device(request: ApiRequest, connection: str, product_key: str, device_name: str) -> Status[None]:
    api.disable_device(open_gateway(request, connection), product_key, device_name)
    return Status(204, None)


@router.get(
    "/{slug:connection}/devices/{product_key}/{device_name}/groups",
    response=list[DeviceGroup],
    description=gettext_noop(
        "List the groups of a device, at most 10. To add or remove devices, use the endpoints of a group."
    ),
)
def list_device_groups(
    request: ApiRequest, connection: str, product_key: str, device_name: str
) -> list[DeviceGroup]:
    _detail, groups = api.get_device_with_groups(open_gateway(request, connection), product_key, device_name)
    return [
        DeviceGroup(id=group.id, name=group.name, description=group.description, dynamic=group.dynamic)
        for group in groups
    ]


@router.get(
    "/{slug:connection}/devices/{product_key}/{device_name}/updates",
    response=DeviceUpdates,
    description=gettext_noop("Get the module versions and the active updates of a device."),
)
def get_device_updates(
    request: ApiRequest, connection: str, product_key: str, device_name: str
) -> DeviceUpdates:
    _detail, versions, tasks = api.get_device_with_updates(
        open_gateway(request, connection), product_key, device_name
    )
    return DeviceUpdates(
        module_versions=[
            ModuleVersion(module=version.module, version=version.version) for version in versions
        ],
        active_updates=[
            DeviceUpdate(
                batch_id=task.batch_id,
                task_id=task.task_id,
                module=task.module,
                source_version=task.source,
                target_version=task.target,
                status=task.status,
                modified_at=task.modified,
            )
            for task in tasks
        ],
    )


@router.put(
    "/{slug:connection}/devices/{product_key}/{device_name}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Add a device tag, or change its value."),
)
def set_device_tag(
    request: ApiRequest, connection: str, product_key: str, device_name: str, tag: str, body: DeviceTagValue
) -> Status[None]:
    api.set_tag(open_gateway(request, connection), product_key, device_name, Tag(tag, body.value))
    return Status(204, None)


@router.delete(
    "/{slug:connection}/devices/{product_key}/{device_name}/tags/{tag}",
    response={204: None},
    description=gettext_noop("Remove a device tag."),
)
def remove_device_tag(
    request: ApiRequest, connection: str, product_key: str, device_name: str, tag: str
) -> Status[None]:
    api.remove_tag(open_gateway(request, connection), product_key, device_name, tag)
    return Status(204, None)
