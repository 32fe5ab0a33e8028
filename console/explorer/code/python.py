"""Python, with the current SDK (alibabacloud_iot20180120)."""

from __future__ import annotations

from typing import Any

from console.explorer.code.call import (
    BACKSLASHED,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    quoted,
    snake,
    utf32,
)


def write(call: CodeCall) -> str:
    """A script that prints the answer."""
    return _typed(call) if call.typed(python=True) else _general(call)


def text(value: str) -> str:
    """A text as a literal."""
    return quoted(value, BACKSLASHED, utf32)


def _config(call: CodeCall) -> str:
    lines = [
        f'    access_key_id=os.environ["{KEY_ID}"],',
        f'    access_key_secret=os.environ["{KEY_SECRET}"],',
        *([f'    security_token=os.environ["{TOKEN}"],'] if call.token else []),
        f"    region_id={text(call.region)},",
        f"    endpoint={text(call.host)},",
        *(['    protocol="HTTP",'] if call.scheme == "http" else []),
    ]
    return "\n".join(["client = Client(Config(", *lines, "))"])


def _typed(call: CodeCall) -> str:
    given = [f"    {snake(base)}={_value(call, base, value)}," for base, _, value in call.given()]
    request = "\n".join([f"request = models.{call.name}Request(", *given, ")"])
    return f"""\
# pip install alibabacloud_iot20180120
import json
import os

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config

{_config(call)}
{request}
response = client.{snake(call.name)}(request)
print(json.dumps(response.body.to_map(), ensure_ascii=False, indent=2))
"""


def _value(call: CodeCall, base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _plain(value)
    if value and isinstance(value[0], dict):
        made = [
            f"        models.{call.name}Request{base}("
            + ", ".join(f"{snake(name)}={_plain(inner)}" for name, inner in item.items())
            + "),"
            for item in value
        ]
    else:
        made = [f"        {_plain(item)}," for item in value]
    return "\n".join(["[", *made, "    ]"])


def _plain(value: Any) -> str:
    return text(value) if isinstance(value, str) else str(value)


def _general(call: CodeCall) -> str:
    query, form = call.fields()
    parts = [f"    {name}={_dict(fields)}," for name, fields in (("query", query), ("body", form)) if fields]
    request = "\n".join(["request = OpenApiRequest(", *parts, ")"])
    return f"""\
# pip install alibabacloud_tea_openapi
import json
import os

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

{_config(call)}
params = Params(
    action="{call.name}",
    version="{VERSION}",
    protocol="{call.scheme.upper()}",
    pathname="/",
    method="POST",
    auth_type="AK",
    style="RPC",
    req_body_type="formData",
    body_type="json",
)
{request}
response = client.call_api(params, request, RuntimeOptions())
print(json.dumps(response["body"], ensure_ascii=False, indent=2))
"""


def _dict(fields: dict[str, str]) -> str:
    return "\n".join(
        ["{", *(f"        {text(name)}: {text(value)}," for name, value in fields.items()), "    }"]
    )
