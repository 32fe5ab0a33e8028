"""C#, with the current SDK (AlibabaCloud.SDK.Iot20180120)."""

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
    utf32,
)


def write(call: CodeCall) -> str:
    """A program that prints the answer."""
    return _typed(call) if call.typed() else _general(call)


def text(value: str) -> str:
    """A text as a literal."""
    return quoted(value, BACKSLASHED, utf32)


def _frame(package: str, uses: list[str], call: CodeCall, lines: list[str]) -> str:
    return "\n".join(
        [
            f"// dotnet add package {package}",
            *(f"using {name};" for name in sorted(uses)),
            "",
            "var client = new Client(new Config",
            "{",
            f'    AccessKeyId = Environment.GetEnvironmentVariable("{KEY_ID}"),',
            f'    AccessKeySecret = Environment.GetEnvironmentVariable("{KEY_SECRET}"),',
            *([f'    SecurityToken = Environment.GetEnvironmentVariable("{TOKEN}"),'] if call.token else []),
            f"    RegionId = {text(call.region)},",
            f"    Endpoint = {text(call.host)},",
            *(['    Protocol = "HTTP",'] if call.scheme == "http" else []),
            "});",
            *lines,
            "",
        ]
    )


def _typed(call: CodeCall) -> str:
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
        *(f"    {base} = {_value(call, base, p.type, value)}," for base, p, value in call.given()),
        "};",
        f"var response = client.{call.name}WithOptions(request, new RuntimeOptions());",
        "Console.WriteLine(AlibabaCloud.TeaUtil.Common.ToJSONString(response.Body));",
    ]
    return _frame("AlibabaCloud.SDK.Iot20180120", uses, call, lines)


def _value(call: CodeCall, base: str, kind: str, value: Any) -> str:
    if not isinstance(value, list):
        return _plain(kind, value)
    item_type = "string"
    if value and isinstance(value[0], dict):
        item_type = f"{call.name}Request.{call.name}Request{base}"
        made = [
            f"        new {item_type} {{ "
            + ", ".join(f"{n} = {_plain(call.member(base, n).type, v)}" for n, v in item.items())
            + " },"
            for item in value
        ]
    else:
        made = [f"        {_plain('String', item)}," for item in value]
    return "\n".join([f"new List<{item_type}>", "    {", *made, "    }"])


def _plain(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}L" if kind == "Long" else str(value)


def _general(call: CodeCall) -> str:
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
            made = [f"        [{text(key)}] = {text(value)}," for key, value in fields.items()]
            parts += [f"    {name} = new Dictionary<string, string>", "    {", *made, "    },"]
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
    return _frame("AlibabaCloud.OpenApiClient", uses, call, lines)
