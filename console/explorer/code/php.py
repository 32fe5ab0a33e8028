"""PHP, with the current SDK (alibabacloud/iot-20180120)."""

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
    quote_literal,
)

_MODELS = "AlibabaCloud\\SDK\\Iot\\V20180120\\Models"


def write(call: CodeCall) -> str:
    """Return a script that prints the response."""
    return _typed_program(call) if call.is_supported_by_sdk() else _generic_program(call)


def literal(value: str) -> str:
    """Return a text as a literal: in single quotes, where `$` has no meaning, unless a character must be escaped."""
    if value.isprintable():
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return quote_literal(value, {**BACKSLASH_ESCAPES, "$": "\\$"}, lambda c: f"\\u{{{ord(c):x}}}")


def _build_program(package: str, uses: list[str], make: str, call: CodeCall, lines: list[str]) -> str:
    return "\n".join(
        [
            "<?php",
            f"// composer require {package}",
            "require __DIR__ . '/vendor/autoload.php';",
            "",
            *(f"use {name};" for name in sorted(uses)),
            "",
            f"$client = new {make}(new Config([",
            f"    'accessKeyId' => getenv('{KEY_ID}'),",
            f"    'accessKeySecret' => getenv('{KEY_SECRET}'),",
            *([f"    'securityToken' => getenv('{TOKEN}'),"] if call.has_token else []),
            f"    'regionId' => {literal(call.region)},",
            f"    'endpoint' => {literal(call.host)},",
            *(["    'protocol' => 'HTTP',"] if call.scheme == "http" else []),
            "]));",
            *lines,
            "",
        ]
    )


def _typed_program(call: CodeCall) -> str:
    structs = [
        b
        for b, _, value in call.given_parameters()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    uses = [
        "AlibabaCloud\\SDK\\Iot\\V20180120\\Iot",
        f"{_MODELS}\\{call.name}Request",
        *(f"{_MODELS}\\{call.name}Request\\{camel_case(base)}" for base in structs),
        "AlibabaCloud\\Tea\\Utils\\Utils\\RuntimeOptions",
        "Darabonba\\OpenApi\\Models\\Config",
    ]
    lines = [
        f"$request = new {call.name}Request([",
        *(
            f"    '{camel_case(base)}' => {_value(base, value)},"
            for base, _, value in call.given_parameters()
        ),
        "]);",
        f"$response = $client->{camel_case(call.name)}WithOptions($request, new RuntimeOptions([]));",
        "echo json_encode($response->body->toMap(), JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;",
    ]
    return _build_program("alibabacloud/iot-20180120", uses, "Iot", call, lines)


def _value(base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(value)
    if value and isinstance(value[0], dict):
        items = [
            f"        new {camel_case(base)}(["
            + ", ".join(f"'{camel_case(name)}' => {_scalar(inner)}" for name, inner in item.items())
            + "]),"
            for item in value
        ]
    else:
        items = [f"        {_scalar(item)}," for item in value]
    return "\n".join(["[", *items, "    ]"])


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _generic_program(call: CodeCall) -> str:
    uses = [
        "AlibabaCloud\\Tea\\Utils\\Utils\\RuntimeOptions",
        "Darabonba\\OpenApi\\Models\\Config",
        "Darabonba\\OpenApi\\Models\\OpenApiRequest",
        "Darabonba\\OpenApi\\Models\\Params",
        "Darabonba\\OpenApi\\OpenApiClient",
    ]
    parts = []
    for name, fields in zip(("query", "body"), call.fields(), strict=True):
        if fields:
            items = [f"        {literal(key)} => {literal(value)}," for key, value in fields.items()]
            parts += [f"    '{name}' => [", *items, "    ],"]
    lines = [
        "$params = new Params([",
        f"    'action' => '{call.name}',",
        f"    'version' => '{VERSION}',",
        f"    'protocol' => '{call.scheme.upper()}',",
        "    'pathname' => '/',",
        "    'method' => 'POST',",
        "    'authType' => 'AK',",
        "    'style' => 'RPC',",
        "    'reqBodyType' => 'formData',",
        "    'bodyType' => 'json',",
        "]);",
        "$request = new OpenApiRequest([",
        *parts,
        "]);",
        "$response = $client->callApi($params, $request, new RuntimeOptions([]));",
        "echo json_encode($response['body'], JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;",
    ]
    return _build_program("alibabacloud/darabonba-openapi", uses, "OpenApiClient", call, lines)
