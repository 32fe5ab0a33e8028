"""A table of three devices in Chinese, and the names that the console read from a file."""

from __future__ import annotations

from console.jobs.models import Row

NAMES = ["lamp-0001", "lamp-0002", "lamp-0003"]


def names() -> list[str]:
    return list(Row.objects.filter(state="pending").order_by("number").values_list("name", flat=True))


CHINESE = "设备名称,备注名\r\nlamp-0001,路灯_一号\r\nlamp-0002,路灯_二号\r\nlamp-0003,路灯_三号\r\n"
