"""PHP, with the current SDK (alibabacloud/iot-20180120)."""

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
)

_MODELS = "AlibabaCloud\\SDK\\Iot\\V20180120\\Models"


def write(call: CodeCall) -> str:
    """A script that prints the answer."""
    return _typed(call) if call.typed() else _general(call)


def text(value: str) -> str:
    """A text as a literal: in single quotes, where `$` means nothing, unless something has to be escaped."""
    if value.isprintable():
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return quoted(value, {**BACKSLASHED, "$": "\\$"}, lambda c: f"\\u{{{ord(c):x}}}")


def _frame(package: str, uses: list[str], make: str, call: CodeCall, lines: list[str]) -> str:
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
            *([f"    'securityToken' => getenv('{TOKEN}'),"] if call.token else []),
            f"    'regionId' => {text(call.region)},",
            f"    'endpoint' => {text(call.host)},",
            *(["    'protocol' => 'HTTP',"] if call.scheme == "http" else []),
            "]));",
            *lines,
            "",
        ]
    )


def _typed(call: CodeCall) -> str:
    structs = [
        b for b, _, value in call.given() if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    uses = [
        "AlibabaCloud\\SDK\\Iot\\V20180120\\Iot",
        f"{_MODELS}\\{call.name}Request",
        *(f"{_MODELS}\\{call.name}Request\\{camel(base)}" for base in structs),
        "AlibabaCloud\\Tea\\Utils\\Utils\\RuntimeOptions",
        "Darabonba\\OpenApi\\Models\\Config",
    ]
    lines = [
        f"$request = new {call.name}Request([",
        *(f"    '{camel(base)}' => {_value(base, value)}," for base, _, value in call.given()),
        "]);",
        f"$response = $client->{camel(call.name)}WithOptions($request, new RuntimeOptions([]));",
        "echo json_encode($response->body->toMap(), JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;",
    ]
    return _frame("alibabacloud/iot-20180120", uses, "Iot", call, lines)


def _value(base: str, value: Any) -> str:
    if not isinstance(value, list):
        return _plain(value)
    if value and isinstance(value[0], dict):
        made = [
            f"        new {camel(base)}(["
            + ", ".join(f"'{camel(name)}' => {_plain(inner)}" for name, inner in item.items())
            + "]),"
            for item in value
        ]
    else:
        made = [f"        {_plain(item)}," for item in value]
    return "\n".join(["[", *made, "    ]"])


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return text(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _general(call: CodeCall) -> str:
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
            made = [f"        {text(key)} => {text(value)}," for key, value in fields.items()]
            parts += [f"    '{name}' => [", *made, "    ],"]
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
    return _frame("alibabacloud/darabonba-openapi", uses, "OpenApiClient", call, lines)
