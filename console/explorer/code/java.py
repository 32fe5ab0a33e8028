"""Java, with the current SDK (com.aliyun:iot20180120)."""

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
    """Return a class that prints the response."""
    return _typed_program(call) if call.is_supported_by_sdk() else _generic_program(call)


def literal(value: str) -> str:
    r"""Return a text as a literal. Below U+0080 in octal, since the compiler reads `\u000a` as a line break."""
    return quote_literal(
        value, BACKSLASH_ESCAPES, lambda c: f"\\{ord(c):03o}" if c < "\x80" else escape_utf16(c)
    )


def _build_program(imports: list[str], call: CodeCall, body: str, artifact: str) -> str:
    config = [
        f'                .setAccessKeyId(System.getenv("{KEY_ID}"))',
        f'                .setAccessKeySecret(System.getenv("{KEY_SECRET}"))',
        *([f'                .setSecurityToken(System.getenv("{TOKEN}"))'] if call.has_token else []),
        f"                .setRegionId({literal(call.region)})",
        *(['                .setProtocol("HTTP")'] if call.scheme == "http" else []),
        f"                .setEndpoint({literal(call.host)});",
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


def _typed_program(call: CodeCall) -> str:
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
        for base, parameter, value in call.given_parameters()
    ]
    items = f"        {call.name}Request request = new {call.name}Request()"
    body = "\n".join(
        [
            "\n".join([items, *setters]) + ";",
            f"        {call.name}Response response = client.{camel_case(call.name)}WithOptions(request, new RuntimeOptions());",
            "        System.out.println(Common.toJSONString(response.getBody()));",
        ]
    )
    return _build_program(imports, call, body, "com.aliyun:iot20180120")


def _value(call: CodeCall, base: str, kind: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(kind, value)
    if value and isinstance(value[0], dict):
        items = [
            f"                        new {call.name}Request.{call.name}Request{base}()"
            + "".join(f".set{n}({_scalar(call.member(base, n).type, v)})" for n, v in item.items())
            for item in value
        ]
    else:
        items = [f"                        {_scalar('String', item)}" for item in value]
    return "Arrays.asList(\n" + ",\n".join(items) + ")"


def _scalar(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}L" if kind == "Long" else str(value)


def _generic_program(call: CodeCall) -> str:
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
            lines += [
                f"        {name}.put({literal(key)}, {literal(value)});" for key, value in fields.items()
            ]
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
    return _build_program(imports, call, body, "com.aliyun:tea-openapi")
