"""Node.js, with the current SDK (@alicloud/iot20180120)."""

from __future__ import annotations

from typing import Any

from console.explorer.code.call import (
    BACKSLASHED,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    camel,
    quoted,
    utf16,
)


def write(call: CodeCall) -> str:
    """A script that prints the answer."""
    return _typed(call) if call.typed() else _general(call)


def text(value: str) -> str:
    """A text as a literal."""
    return quoted(value, BACKSLASHED, utf16)


def _client(call: CodeCall) -> list[str]:
    return [
        "  const client = new Client(new Config({",
        f"    accessKeyId: process.env.{KEY_ID},",
        f"    accessKeySecret: process.env.{KEY_SECRET},",
        *([f"    securityToken: process.env.{TOKEN},"] if call.token else []),
        f"    regionId: {text(call.region)},",
        f"    endpoint: {text(call.host)},",
        *(['    protocol: "HTTP",'] if call.scheme == "http" else []),
        "  }));",
    ]


def _frame(needs: list[str], lines: list[str]) -> str:
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


def _typed(call: CodeCall) -> str:
    given = [f"    {camel(base)}: {_value(call, base, value)}," for base, _, value in call.given()]
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
        *given,
        "  });",
        f"  const response = await client.{camel(call.name)}WithOptions(request, new RuntimeOptions({{}}));",
    ]
    return _frame(needs, lines)


def _value(call: CodeCall, base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _plain(value)
    if value and isinstance(value[0], dict):
        made = [
            f"      new iot.{call.name}Request{base}({{ "
            + ", ".join(f"{camel(name)}: {_plain(inner)}" for name, inner in item.items())
            + " }),"
            for item in value
        ]
    else:
        made = [f"      {_plain(item)}," for item in value]
    return "\n".join(["[", *made, "    ]"])


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return text(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _general(call: CodeCall) -> str:
    query, form = call.fields()
    parts = []
    for name, fields in (("query", query), ("body", form)):
        if fields:
            parts += [
                f"    {name}: {{",
                *(f"      {text(k)}: {text(v)}," for k, v in fields.items()),
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
    return _frame(needs, lines)
