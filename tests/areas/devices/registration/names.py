"""The names in test files, and those that a job would register."""

from console.jobs.models import Item

NAMES = ["lamp-0001", "lamp-0002", "lamp-0003"]
CHINESE = "设备名称,备注名\r\nlamp-0001,路灯_一号\r\nlamp-0002,路灯_二号\r\nlamp-0003,路灯_三号\r\n"


def read_names() -> list[str]:
    """Return the names of the devices that would be registered, in order."""
    return list(Item.objects.filter(outcome="pending").order_by("number").values_list("key", flat=True))
