"""Records of topics, and how they are read from responses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iot_client.catalogue import operation
from iot_client.fields import read_items, read_text
from iot_client.responses import read_name, read_path

SHORT_NAME = operation("CreateProductTopic").parameters["TopicShortName"].pattern
"""A regular expression of the part of a topic after `/user/`."""
_PERMISSIONS = {"0": "PUB", "1": "SUB", "2": "ALL"}  # Operation of QueryProductTopic → of CreateProductTopic
_TOPIC = re.compile(rf"/([A-Za-z0-9]+)/([A-Za-z0-9_.:@-]+)/user/({SHORT_NAME})")


@dataclass(frozen=True, slots=True)
class TopicCategory:
    """A topic category of a product: each device has a topic of it. `topic`: in full, with ${deviceName} for the name of the device.
    `short_name`: the part after `/user/`. `permission`: what devices may do, PUB, SUB or ALL (both)."""

    id: str
    product_key: str
    topic: str
    short_name: str
    permission: str
    description: str

    @property
    def key(self) -> str:
        """Identifies the category in a form. Only the name can contain slashes."""
        return f"{self.id}/{self.short_name}"

    @staticmethod
    def split_key(key: str) -> tuple[str, str]:
        """Return the ID and the short name of a key, the name "" for a text that is no key."""
        topic_id, _slash, short_name = key.partition("/")
        return topic_id, short_name

    def topic_of(self, device_name: str) -> str:
        """The topic of a device in full."""
        return self.topic.replace("${deviceName}", device_name)


@dataclass(frozen=True, slots=True)
class Route:
    """A topic route: the platform forwards the messages of the source topic to the target topic."""

    source: str
    target: str

    @property
    def key(self) -> str:
        """Identifies the route in a form. A topic contains no space."""
        return f"{self.source} {self.target}"

    @classmethod
    def from_key(cls, key: str) -> Route:
        source, _space, target = key.partition(" ")
        return cls(source, target)


def parse_topic(text: str) -> tuple[str, str] | None:
    """Return the ProductKey and the name of the device of a custom topic, `/<ProductKey>/<DeviceName>/user/…`; None for any other
    text."""
    match = _TOPIC.fullmatch(text)
    return (match[1], match[2]) if match else None


# -- responses ---------------------------------------------------------------------------------------------------------


def to_categories(response: Mapping[str, Any], product_key: str) -> list[TopicCategory]:
    return [to_category(item, product_key) for item in read_items(response.get("Data"), "ProductTopicInfo")]


def to_category(item: Mapping[str, Any], product_key: str) -> TopicCategory:
    topic, permission = read_name(item, "TopicShortName"), read_text(item, "Operation")
    return TopicCategory(
        id=read_name(item, "Id"),
        product_key=product_key,
        topic=topic,
        short_name=topic.removeprefix(f"/{product_key}/${{deviceName}}/").removeprefix("user/"),
        permission=_PERMISSIONS.get(permission, permission),
        description=read_text(item, "Desc"),
    )


def to_topics(response: Mapping[str, Any], path: str) -> list[str]:
    return [str(topic) for topic in read_path(response, path)]


def to_failures(response: Mapping[str, Any], targets: Sequence[str]) -> list[str]:
    """Return the targets for which a call failed. All of them, if the response does not say which."""
    failed = set(to_topics(response, "FailureTopics.Topic[]"))
    if not failed and str(response.get("IsAllSucceed")).lower() == "false":
        return list(targets)
    return [target for target in targets if target in failed]
