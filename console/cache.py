"""Values in the cache are JSON: to read one executes no code, also if somebody else wrote it to Redis."""

from __future__ import annotations

import json
from typing import Any


class JSONSerializer:
    """The serializer of Django's Redis cache. Raises TypeError for a value that JSON does not have."""

    def dumps(self, obj: Any) -> str:
        return json.dumps(obj)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
