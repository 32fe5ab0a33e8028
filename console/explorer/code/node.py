"""Node.js, with the current SDK (@alicloud/iot20180120)."""

from __future__ import annotations

from typing import Any

from console.explorer.code.call import (
    BACKSLASH_ESCAPES,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    camel_case,
    escape_utf16,
    quote_literal,
)


def write(call: CodeCall) -> str:
    """Return a script that prints the response."""
    return _typed_program(call) if call.is_supported_by_sdk() else _generic_program(call)


def literal(value: str) -> str:
    """Return a text as a literal."""
    return quote_literal(value, BACKSLASH_ESCAPES, escape_utf16)


def _client(call: CodeCall) -> list[str]:
    return [
        "  const client = new Client(new Config({",
        f"    accessKeyId: process.env.{KEY_ID},",
        f"    accessKeySecret: process.env.{KEY_SECRET},",
        *([f"    securityToken: process.env.{TOKEN},"] if call.has_token else []),
        f"    regionId: {literal(call.region)},",
        f"    endpoint: {literal(call.host)},",
        *(['    protocol: "HTTP",'] if call.scheme == "http" else []),
        "  }));",
    ]


def _build_program(needs: list[str], lines: list[str]) -> str:
    return "\n".join(
        [
            *needs,
            "",
            "async function main() {",
            *lines,
            "  console.log(JSON.stringify(response.body, null, 2));",
            "}",
            "",
            "main().catch((error) => {",
            "  console.error(error.message);",
            "  process.exitCode = 1;",
            "});",
            "",
        ]
    )


def _typed_program(call: CodeCall) -> str:
    arguments = [
        f"    {camel_case(base)}: {_value(call, base, value)}," for base, _, value in call.given_parameters()
    ]
    needs = [
        "// npm install @alicloud/iot20180120 @alicloud/openapi-client @alicloud/tea-util",
        'const iot = require("@alicloud/iot20180120");',
        'const { Config } = require("@alicloud/openapi-client");',
        'const { RuntimeOptions } = require("@alicloud/tea-util");',
        "const Client = iot.default;",
    ]
    lines = [
        *_client(call),
        f"  const request = new iot.{call.name}Request({{",
        *arguments,
        "  });",
        f"  const response = await client.{camel_case(call.name)}WithOptions(request, new RuntimeOptions({{}}));",
    ]
    return _build_program(needs, lines)


def _value(call: CodeCall, base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(value)
    if value and isinstance(value[0], dict):
        items = [
            f"      new iot.{call.name}Request{base}({{ "
            + ", ".join(f"{camel_case(name)}: {_scalar(inner)}" for name, inner in item.items())
            + " }),"
            for item in value
        ]
    else:
        items = [f"      {_scalar(item)}," for item in value]
    return "\n".join(["[", *items, "    ]"])


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _generic_program(call: CodeCall) -> str:
    query, form = call.fields()
    parts = []
    for name, fields in (("query", query), ("body", form)):
        if fields:
            parts += [
                f"    {name}: {{",
                *(f"      {literal(k)}: {literal(v)}," for k, v in fields.items()),
                "    },",
            ]
    needs = [
        "// npm install @alicloud/openapi-client @alicloud/tea-util",
        'const openapi = require("@alicloud/openapi-client");',
        'const { RuntimeOptions } = require("@alicloud/tea-util");',
        "const { default: Client, Config, OpenApiRequest, Params } = openapi;",
    ]
    lines = [
        *_client(call),
        "  const params = new Params({",
        f'    action: "{call.name}",',
        f'    version: "{VERSION}",',
        f'    protocol: "{call.scheme.upper()}",',
        '    pathname: "/",',
        '    method: "POST",',
        '    authType: "AK",',
        '    style: "RPC",',
        '    reqBodyType: "formData",',
        '    bodyType: "json",',
        "  });",
        "  const request = new OpenApiRequest({",
        *parts,
        "  });",
        "  const response = await client.callApi(params, request, new RuntimeOptions({}));",
    ]
    return _build_program(needs, lines)
