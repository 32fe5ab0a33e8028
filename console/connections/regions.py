"""The regions of the platform, and how pages name them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

REGIONS = {
    "cn-shanghai": _("China (Shanghai)"),
    "ap-southeast-1": _("Singapore"),
    "ap-northeast-1": _("Japan (Tokyo)"),
    "us-west-1": _("US (Silicon Valley)"),
    "us-east-1": _("US (Virginia)"),
    "eu-central-1": _("Germany (Frankfurt)"),
}


def name_region(region: str) -> str:
    """Return the name and the ID of a region, "China (Shanghai) · cn-shanghai"; of one without a known name only the ID."""
    return f"{REGIONS[region]} · {region}" if region in REGIONS else region
