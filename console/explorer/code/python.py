"""Python, with the current SDK (alibabacloud_iot20180120)."""

from __future__ import annotations

from typing import Any

from console.explorer.code.call import (
    BACKSLASH_ESCAPES,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    escape_utf32,
    quote_literal,
    snake_case,
)


def write(call: CodeCall) -> str:
    """Return a script that prints the response."""
    return _typed_program(call) if call.is_supported_by_sdk(python=True) else _generic_program(call)


def literal(value: str) -> str:
    """Return a text as a literal."""
    return quote_literal(value, BACKSLASH_ESCAPES, escape_utf32)


def _client_config(call: CodeCall) -> str:
    lines = [
        f'    access_key_id=os.environ["{KEY_ID}"],',
        f'    access_key_secret=os.environ["{KEY_SECRET}"],',
        *([f'    security_token=os.environ["{TOKEN}"],'] if call.has_token else []),
        f"    region_id={literal(call.region)},",
        f"    endpoint={literal(call.host)},",
        *(['    protocol="HTTP",'] if call.scheme == "http" else []),
    ]
    return "\n".join(["client = Client(Config(", *lines, "))"])


def _typed_program(call: CodeCall) -> str:
    arguments = [
        f"    {snake_case(base)}={_value(call, base, value)}," for base, _, value in call.given_parameters()
    ]
    request = "\n".join([f"request = models.{call.name}Request(", *arguments, ")"])
    return f"""\
# pip install alibabacloud_iot20180120
import json
import os

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config

{_client_config(call)}
{request}
response = client.{snake_case(call.name)}(request)
print(json.dumps(response.body.to_map(), ensure_ascii=False, indent=2))
"""


def _value(call: CodeCall, base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(value)
    if value and isinstance(value[0], dict):
        items = [
            f"        models.{call.name}Request{base}("
            + ", ".join(f"{snake_case(name)}={_scalar(inner)}" for name, inner in item.items())
            + "),"
            for item in value
        ]
    else:
        items = [f"        {_scalar(item)}," for item in value]
    return "\n".join(["[", *items, "    ]"])


def _scalar(value: Any) -> str:
    return literal(value) if isinstance(value, str) else str(value)


def _generic_program(call: CodeCall) -> str:
    query, form = call.fields()
    parts = [
        f"    {name}={_dict_literal(fields)},"
        for name, fields in (("query", query), ("body", form))
        if fields
    ]
    request = "\n".join(["request = OpenApiRequest(", *parts, ")"])
    return f"""\
# pip install alibabacloud_tea_openapi
import json
import os

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

{_client_config(call)}
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


def _dict_literal(fields: dict[str, str]) -> str:
    return "\n".join(
        ["{", *(f"        {literal(name)}: {literal(value)}," for name, value in fields.items()), "    }"]
    )
