"""C#, with the current SDK (AlibabaCloud.SDK.Iot20180120)."""

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
)


def write(call: CodeCall) -> str:
    """Return a program that prints the response."""
    return _typed_program(call) if call.is_supported_by_sdk() else _generic_program(call)


def literal(value: str) -> str:
    """Return a text as a literal."""
    return quote_literal(value, BACKSLASH_ESCAPES, escape_utf32)


def _build_program(package: str, uses: list[str], call: CodeCall, lines: list[str]) -> str:
    return "\n".join(
        [
            f"// dotnet add package {package}",
            *(f"using {name};" for name in sorted(uses)),
            "",
            "var client = new Client(new Config",
            "{",
            f'    AccessKeyId = Environment.GetEnvironmentVariable("{KEY_ID}"),',
            f'    AccessKeySecret = Environment.GetEnvironmentVariable("{KEY_SECRET}"),',
            *(
                [f'    SecurityToken = Environment.GetEnvironmentVariable("{TOKEN}"),']
                if call.has_token
                else []
            ),
            f"    RegionId = {literal(call.region)},",
            f"    Endpoint = {literal(call.host)},",
            *(['    Protocol = "HTTP",'] if call.scheme == "http" else []),
            "});",
            *lines,
            "",
        ]
    )


def _typed_program(call: CodeCall) -> str:
    uses = [
        "System",
        "System.Collections.Generic",
        "AlibabaCloud.OpenApiClient.Models",
        "AlibabaCloud.SDK.Iot20180120",
        "AlibabaCloud.SDK.Iot20180120.Models",
        "AlibabaCloud.TeaUtil.Models",
    ]
    lines = [
        f"var request = new {call.name}Request",
        "{",
        *(f"    {base} = {_value(call, base, p.type, value)}," for base, p, value in call.given_parameters()),
        "};",
        f"var response = client.{call.name}WithOptions(request, new RuntimeOptions());",
        "Console.WriteLine(AlibabaCloud.TeaUtil.Common.ToJSONString(response.Body));",
    ]
    return _build_program("AlibabaCloud.SDK.Iot20180120", uses, call, lines)


def _value(call: CodeCall, base: str, kind: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(kind, value)
    item_type = "string"
    if value and isinstance(value[0], dict):
        item_type = f"{call.name}Request.{call.name}Request{base}"
        items = [
            f"        new {item_type} {{ "
            + ", ".join(f"{n} = {_scalar(call.member(base, n).type, v)}" for n, v in item.items())
            + " },"
            for item in value
        ]
    else:
        items = [f"        {_scalar('String', item)}," for item in value]
    return "\n".join([f"new List<{item_type}>", "    {", *items, "    }"])


def _scalar(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}L" if kind == "Long" else str(value)


def _generic_program(call: CodeCall) -> str:
    uses = [
        "System",
        "System.Collections.Generic",
        "AlibabaCloud.OpenApiClient",
        "AlibabaCloud.OpenApiClient.Models",
        "AlibabaCloud.TeaUtil.Models",
    ]
    parts = []
    for name, fields in zip(("Query", "Body"), call.fields(), strict=True):
        if fields:
            items = [f"        [{literal(key)}] = {literal(value)}," for key, value in fields.items()]
            parts += [f"    {name} = new Dictionary<string, string>", "    {", *items, "    },"]
    lines = [
        "var parameters = new Params",
        "{",
        f'    Action = "{call.name}",',
        f'    Version = "{VERSION}",',
        f'    Protocol = "{call.scheme.upper()}",',
        '    Pathname = "/",',
        '    Method = "POST",',
        '    AuthType = "AK",',
        '    Style = "RPC",',
        '    ReqBodyType = "formData",',
        '    BodyType = "json",',
        "};",
        "var request = new OpenApiRequest",
        "{",
        *parts,
        "};",
        "var response = client.CallApi(parameters, request, new RuntimeOptions());",
        'Console.WriteLine(AlibabaCloud.TeaUtil.Common.ToJSONString(response["body"]));',
    ]
    return _build_program("AlibabaCloud.OpenApiClient", uses, call, lines)
