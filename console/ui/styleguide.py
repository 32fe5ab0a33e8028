"""Sample data for the style guide: a list, a form, errors, jobs, a chart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from console.ui.charts import Curve, build_chart_data
from console.ui.context import SwitcherEntry
from console.ui.fields import DayField, MomentField
from console.ui.forms import FileWidget, FilterForm
from console.ui.frame import NavGroup, NavItem
from console.ui.navigation import navigation_groups
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem, MenuItem, Tab
from console.ui.statuses import all_statuses
from console.ui.tables import BulkAction, Column, Empty, Table
from iot_client.errors import Throttled, Unavailable


@dataclass(frozen=True)
class Meter:
    """A row of the sample list."""

    name: str
    nickname: str
    status: str
    product: str
    firmware: str
    last_seen: datetime | None
    size: int
    iot_id: str


_START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_STATES = ("ONLINE", "ONLINE", "OFFLINE", "ONLINE", "UNACTIVE", "DISABLE", "ONLINE")
_PRODUCTS = ("SmartMeter_Gen3", "EdgeGateway_X2", "StreetLight_LoRa", "AirSensor_Indoor")
METER_ROWS = [
    Meter(
        name=f"mtr-{48_200 + i * 7:06d}",
        nickname=("" if i % 5 == 3 else f"{('Harbor', 'Mill Lane', 'Station', 'Old Town')[i % 4]} {i + 1}"),
        status=_STATES[i % 7],
        product=_PRODUCTS[i % 4],
        firmware=("" if i % 7 == 4 else f"2.{i % 4}.{i % 9}"),
        last_seen=None if i % 7 == 4 else _START - timedelta(minutes=37 * i),
        size=1_200 + i * 91_337,
        iot_id=f"Q7uOhVRdZRRlDnTLv{i:03d}00100",
    )
    for i in range(187)
]

METERS: Table[Meter] = Table(
    id="meters",
    caption="Devices",
    columns=(
        Column(
            "name",
            "Device",
            link=lambda request, row: f"{request.path}?q={row.name}",
            primary=True,
            sort=True,
        ),
        Column("status", "Status", kind="status", status="device", sort=True),
        Column("nickname", "Nickname"),
        Column("product", "Product", sort=True),
        Column("firmware", "Firmware", kind="code"),
        Column("last_seen", "Last online", kind="time", sort=True),
        Column("size", "Traffic today", kind="bytes", narrow=False),
        Column("iot_id", "IoT ID", kind="code", copy=True, hidden=True),
    ),
    key=lambda row: row.name,
    actions=(
        BulkAction("Disable", "ban", lambda request: "/_style/confirm"),
        BulkAction("Delete", "trash", lambda request: "/_style/confirm", danger=True),
    ),
    row_template="ui/style/row.html",
    export=True,
)
PLAIN: Table[Meter] = Table(
    id="plain",
    caption="Recent devices",
    columns=(
        Column("name", "Device", primary=True, copy=True),
        Column("status", "Status", kind="status", status="device"),
        Column("last_seen", "Last online", kind="relative_time"),
        Column("size", "Traffic today", kind="bytes"),
    ),
)
EMPTY: Table[Meter] = Table(id="none", caption="No devices", columns=PLAIN.columns)
NOTHING = Empty(
    title="No devices yet",
    text="Register the first one by hand, or thousands from a CSV file.",
    icon="cpu",
    url="#",
    action="Register devices",
)


class SampleFilters(FilterForm):
    q = forms.CharField(
        label="Search devices",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "Name or nickname"}),
    )
    status = forms.ChoiceField(
        label="Status",
        required=False,
        choices=lambda: [("", "Any"), *((key, look.label) for key, look in all_statuses()["device"].items())],
    )
    product = forms.ChoiceField(
        label="Product", required=False, choices=[("", "Any"), *((p, p) for p in _PRODUCTS)]
    )
    firmware = forms.CharField(label="Firmware", required=False, max_length=16)


class SampleForm(forms.Form):
    """One field of every kind."""

    name = forms.CharField(
        label="Product name",
        max_length=30,
        min_length=4,
        help_text="4 to 30 characters: letters, digits, and _ - @ ( ). A Chinese character counts as two.",
        widget=forms.TextInput(attrs={"data-count": "wide"}),
    )
    kind = forms.ChoiceField(
        label="Node type",
        choices=[("0", "Directly connected device"), ("1", "Gateway")],
        widget=forms.RadioSelect,
        initial="0",
        help_text="A gateway connects sub-devices. You cannot change this later.",
    )
    network = forms.ChoiceField(
        label="Network",
        choices=[("WIFI", "Wi-Fi"), ("CELLULAR", "Cellular (2G, 3G, 4G, 5G)"), ("ETHERNET", "Ethernet")],
    )
    per_minute = forms.IntegerField(
        label="Devices per minute",
        min_value=10,
        max_value=1000,
        initial=100,
        help_text="Number of devices that get the update per minute.",
    )
    secret = forms.CharField(
        label="Secret", required=False, widget=forms.PasswordInput(attrs={"data-keep-secret": ""})
    )
    day = DayField(label="From", required=False)
    start = MomentField(label="Start", required=False, help_text="Leave empty to start now.")
    note = forms.CharField(
        label="Description", max_length=100, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    features = forms.MultipleChoiceField(
        label="Features",
        required=False,
        choices=[("tsl", "Thing model"), ("shadow", "Device shadow"), ("ota", "Updates")],
        widget=forms.CheckboxSelectMultiple,
    )
    package = forms.FileField(
        label="Package file",
        required=False,
        widget=FileWidget(accept=".bin,.zip,.tar.gz", max_bytes=1024**3),
        help_text="BIN, DAV, TAR, GZ or ZIP.",
    )
    publish = forms.BooleanField(
        label="Publish now", required=False, help_text="You can register devices before you publish."
    )


def filter_meters(values: dict[str, Any], sort: str) -> list[Meter]:
    """The sample rows that match the filters, sorted."""
    text = str(values.get("q", "")).lower()
    rows = [
        row
        for row in METER_ROWS
        if (not text or text in row.name or text in row.nickname.lower())
        and values.get("status", row.status) == row.status
        and values.get("product", row.product) == row.product
        and str(values.get("firmware", "")) in row.firmware
    ]
    key = sort.removeprefix("-")
    if key in {"name", "status", "product", "last_seen"}:
        rows.sort(key=lambda row: str(getattr(row, key)), reverse=sort.startswith("-"))
    return rows


def select_page(request: HttpRequest, rows: list[Meter]) -> tuple[Page, list[Meter]]:
    """The requested page of the sample rows."""
    page = Page(page_number(request), page_size(request, 10), len(rows))
    return page, rows[(page.number - 1) * page.size : page.number * page.size]


def sample_counts() -> dict[str, Any]:
    """Sample counts of one day."""
    times = [_START + timedelta(minutes=10 * i) for i in range(144)]
    online = [4200 + round(300 * math.sin(i / 18) + 40 * math.sin(i / 3)) for i in range(144)]
    curves = [
        Curve("Online", "--fd-good", online),
        Curve("Offline", "--fd-off", [5000 - n for n in online]),
    ]
    return build_chart_data(times, curves, gap=timedelta(minutes=15))


JOBS = [
    SimpleNamespace(
        title="Register 10,000 devices", state="running", done=6_240, total=10_000, url="#", note="2 min left"
    ),
    SimpleNamespace(title="Monitor batch 2.4.1", state="succeeded", done=512, total=512, url="#", note=""),
    SimpleNamespace(
        title="Register 300 devices", state="failed", done=120, total=300, url="#", note="stopped"
    ),
]

_ERRORS = [
    Throttled(
        "Throttling.User",
        "Request was denied due to user flow control.",
        operation="QueryDevice",
        request_id="E55E50B7-40EE-4B6B-8BBE-D3ED55CCF565",
    ),
    Unavailable("ConnectTimeout", "The connection timed out.", operation="CreateProduct"),
]


class SampleShell:
    """A Shell without a request's team that shows every part of the frame."""

    theme = "auto"
    is_collapsed = False
    is_signed_in = True
    user = SimpleNamespace(name="Li Wei", email="li.wei@acme.example")
    initials = "LW"
    profile = "#"
    choose_language = sign_out = "#"
    tokens = ""
    scope_summary = ""
    switcher = "/_style/switcher"
    new_team = ""
    home = "/_style/"
    search = "/_style/"
    tray = "/_style/tray"
    jobs = "#"
    team = SimpleNamespace(name="Acme Energy")
    connection = page_connection = SimpleNamespace(name="Shanghai production")
    settings = ()
    connections = (
        SwitcherEntry("Shanghai production", "China (Shanghai) · cn-shanghai", "#", True),
        SwitcherEntry("Singapore", "Singapore · ap-southeast-1", "#", False),
        SwitcherEntry("Sandbox", "emulator", "#", False),
    )
    teams = (SwitcherEntry("Acme Energy", "Owner", "#", True), SwitcherEntry("Globex", "Viewer", "#", False))

    def __init__(self, request: HttpRequest) -> None:
        theme = request.GET.get("theme") or request.COOKIES.get("theme", "auto")
        self.theme = theme if theme in {"light", "dark"} else "auto"
        self.is_collapsed = request.COOKIES.get("sidebar") == "collapsed"

    @property
    def navigation(self) -> tuple[NavGroup, ...]:
        """The real navigation, without links."""
        return tuple(
            NavGroup(
                str(group.heading),
                tuple(
                    NavItem(
                        str(entry.label),
                        entry.icon,
                        "#",
                        current=entry.name == "jobs:list",
                        count=entry.count,
                    )
                    for entry in group.entries
                ),
            )
            for group in navigation_groups()
        )


def context(request: HttpRequest) -> dict[str, Any]:
    """The context of all samples except the list."""
    now = timezone.now()
    bound = SampleForm(
        {"name": "ab", "kind": "7", "per_minute": "5", "network": "WIFI", "note": "Input is kept."}
    )
    bound.is_valid()
    return {
        "shell": SampleShell(request),
        "statuses": [(kind, list(states)) for kind, states in all_statuses().items()],
        "now": now,
        "earlier": now - timedelta(hours=3, minutes=12),
        "form": SampleForm(),
        "bad_form": bound,
        "errors": _ERRORS,
        "menu": [
            MenuItem("Edit", "#", "pencil"),
            MenuItem("Disable", "#", "ban"),
            MenuItem("Delete", "/_style/confirm", "trash", danger=True, dialog=True),
        ],
        "tabs": [
            Tab("Details", "/_style/#tabs", current=True),
            Tab("Devices", "/_style/#tabs", count=2140),
            Tab("Thing model", "/_style/#tabs"),
            Tab("Topics", "/_style/#tabs"),
            Tab("Events", "/_style/#tabs"),
        ],
        "summary": [
            DetailItem("Status", "ONLINE", "status", "device"),
            DetailItem("Online since", now - timedelta(hours=3), "relative_time"),
            DetailItem("Firmware", "2.1.0"),
            DetailItem("IP address", "192.0.2.17", "code"),
        ],
        "details": [
            DetailItem("ProductKey", "a1Qr8dJzWbE", "code", copy=True),
            DetailItem("Status", "RELEASE_STATUS", "status", "product"),
            DetailItem("Node type", "Directly connected device"),
            DetailItem("Devices", 2140, "number"),
            DetailItem("MD5", "9e107d9d372bb6826bd81d3542a419d6", "code", copy=True),
            DetailItem("Request ID", "57144C26-A48F-5D4A-9A5C-2B1E0F1D7C33", "code", copy=True),
            DetailItem("SHA-256", "d7a8fbb307d7809469ca9abcb0082e4f" * 2, "code", copy=True),
            DetailItem("Created", _START, "time"),
            DetailItem("Description", ""),
            DetailItem("Parent", "Region_North"),
        ],
    }
