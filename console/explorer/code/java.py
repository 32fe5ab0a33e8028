"""Java, with the current SDK (com.aliyun:iot20180120)."""

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
    """A class that prints the answer."""
    return _typed(call) if call.typed() else _general(call)


def text(value: str) -> str:
    r"""A text as a literal. Below U+0080 in octal: the compiler reads `\u000a` as the end of the line it stands in."""
    return quoted(value, BACKSLASHED, lambda c: f"\\{ord(c):03o}" if c < "\x80" else utf16(c))


def _frame(imports: list[str], call: CodeCall, body: str, artifact: str) -> str:
    config = [
        f'                .setAccessKeyId(System.getenv("{KEY_ID}"))',
        f'                .setAccessKeySecret(System.getenv("{KEY_SECRET}"))',
        *([f'                .setSecurityToken(System.getenv("{TOKEN}"))'] if call.token else []),
        f"                .setRegionId({text(call.region)})",
        *(['                .setProtocol("HTTP")'] if call.scheme == "http" else []),
        f"                .setEndpoint({text(call.host)});",
    ]
    return "\n".join(
        [
            f"// Maven: {artifact}",
            *(f"import {name};" for name in sorted(imports)),
            "",
            f"public class {call.name} {{",
            "    public static void main(String[] args) throws Exception {",
            "        Config config = new Config()",
            *config,
            "        Client client = new Client(config);",
            body,
            "    }",
            "}",
            "",
        ]
    )


def _typed(call: CodeCall) -> str:
    imports = [
        "com.aliyun.iot20180120.Client",
        "com.aliyun.iot20180120.models.*",
        "com.aliyun.teaopenapi.models.Config",
        "com.aliyun.teautil.Common",
        "com.aliyun.teautil.models.RuntimeOptions",
    ]
    if any(isinstance(value, list) for value in call.params.values()):
        imports.append("java.util.Arrays")
    setters = [
        f"                .set{base}({_value(call, base, parameter.type, value)})"
        for base, parameter, value in call.given()
    ]
    made = f"        {call.name}Request request = new {call.name}Request()"
    body = "\n".join(
        [
            "\n".join([made, *setters]) + ";",
            f"        {call.name}Response response = client.{camel(call.name)}WithOptions(request, new RuntimeOptions());",
            "        System.out.println(Common.toJSONString(response.getBody()));",
        ]
    )
    return _frame(imports, call, body, "com.aliyun:iot20180120")


def _value(call: CodeCall, base: str, kind: str, value: Any) -> str:
    if not isinstance(value, list):
        return _plain(kind, value)
    if value and isinstance(value[0], dict):
        made = [
            f"                        new {call.name}Request.{call.name}Request{base}()"
            + "".join(f".set{n}({_plain(call.member(base, n).type, v)})" for n, v in item.items())
            for item in value
        ]
    else:
        made = [f"                        {_plain('String', item)}" for item in value]
    return "Arrays.asList(\n" + ",\n".join(made) + ")"


def _plain(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}L" if kind == "Long" else str(value)


def _general(call: CodeCall) -> str:
    imports = [
        "com.aliyun.teaopenapi.Client",
        "com.aliyun.teaopenapi.models.*",
        "com.aliyun.teautil.Common",
        "com.aliyun.teautil.models.RuntimeOptions",
        "java.util.*",
    ]
    lines = []
    setters = ""
    for name, setter, fields in zip(("query", "body"), ("setQuery", "setBody"), call.fields(), strict=True):
        if fields:
            lines.append(f"        Map<String, String> {name} = new HashMap<>();")
            lines += [f"        {name}.put({text(key)}, {text(value)});" for key, value in fields.items()]
            setters += f".{setter}({name})"
    body = "\n".join(
        [
            "        Params params = new Params()",
            f'                .setAction("{call.name}").setVersion("{VERSION}").setProtocol("{call.scheme.upper()}")',
            '                .setPathname("/").setMethod("POST").setAuthType("AK").setStyle("RPC")',
            '                .setReqBodyType("formData").setBodyType("json");',
            *lines,
            f"        OpenApiRequest request = new OpenApiRequest(){setters};",
            "        Map<String, ?> response = client.callApi(params, request, new RuntimeOptions());",
            '        System.out.println(Common.toJSONString(response.get("body")));',
        ]
    )
    return _frame(imports, call, body, "com.aliyun:tea-openapi")
