"""Go, with the current SDK (github.com/alibabacloud-go/iot-20180120)."""

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


def _build_program(imports: list[str], call: CodeCall, make: str, lines: list[str]) -> str:
    return "\n".join(
        [
            "package main",
            "",
            "import (",
            '\t"fmt"',
            '\t"log"',
            '\t"os"',
            "",
            *(f"\t{line}" for line in imports),
            ")",
            "",
            "func main() {",
            f"\tclient, err := {make}(&openapi.Config{{",
            f'\t\tAccessKeyId:     tea.String(os.Getenv("{KEY_ID}")),',
            f'\t\tAccessKeySecret: tea.String(os.Getenv("{KEY_SECRET}")),',
            *([f'\t\tSecurityToken:   tea.String(os.Getenv("{TOKEN}")),'] if call.has_token else []),
            f"\t\tRegionId:        tea.String({literal(call.region)}),",
            f"\t\tEndpoint:        tea.String({literal(call.host)}),",
            *(['\t\tProtocol:        tea.String("HTTP"),'] if call.scheme == "http" else []),
            "\t})",
            "\tif err != nil {",
            "\t\tlog.Fatal(err)",
            "\t}",
            *(f"\t{line}" for line in lines),
            "\tif err != nil {",
            "\t\tlog.Fatal(err)",
            "\t}",
            '\tfmt.Println(tea.StringValue(util.ToJSONString(response["body"])))'
            if "CallApi" in lines[-1]
            else "\tfmt.Println(response.Body)",
            "}",
            "",
        ]
    )


def _typed_program(call: CodeCall) -> str:
    imports = [
        'openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"',
        'iot "github.com/alibabacloud-go/iot-20180120/v6/client"',
        'util "github.com/alibabacloud-go/tea-utils/v2/service"',
        '"github.com/alibabacloud-go/tea/tea"',
    ]
    lines = [
        f"request := &iot.{call.name}Request{{",
        *(f"\t{base}: {_value(call, base, p.type, value)}," for base, p, value in call.given_parameters()),
        "}",
        f"response, err := client.{call.name}WithOptions(request, &util.RuntimeOptions{{}})",
    ]
    return _build_program(imports, call, "iot.NewClient", lines)


def _value(call: CodeCall, base: str, kind: str, value: Any) -> str:
    if not isinstance(value, list):
        return _scalar(kind, value)
    if value and isinstance(value[0], dict):
        items = [
            "\t\t\t{"
            + ", ".join(f"{n}: {_scalar(call.member(base, n).type, v)}" for n, v in item.items())
            + "},"
            for item in value
        ]
        return "\n".join([f"[]*iot.{call.name}Request{base}{{", *items, "\t\t}"])
    return "tea.StringSlice([]string{" + ", ".join(literal(str(item)) for item in value) + "})"


def _scalar(kind: str, value: Any) -> str:
    if isinstance(value, str):
        return f"tea.String({literal(value)})"
    if isinstance(value, bool):
        return f"tea.Bool({'true' if value else 'false'})"
    return f"tea.{'Int64' if kind == 'Long' else 'Int32'}({value})"


def _generic_program(call: CodeCall) -> str:
    query, form = call.fields()
    imports = [
        'openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"',
        'util "github.com/alibabacloud-go/tea-utils/v2/service"',
        '"github.com/alibabacloud-go/tea/tea"',
    ]
    lines = [
        "params := &openapi.Params{",
        f'\tAction:      tea.String("{call.name}"),',
        f'\tVersion:     tea.String("{VERSION}"),',
        f'\tProtocol:    tea.String("{call.scheme.upper()}"),',
        '\tPathname:    tea.String("/"),',
        '\tMethod:      tea.String("POST"),',
        '\tAuthType:    tea.String("AK"),',
        '\tStyle:       tea.String("RPC"),',
        '\tReqBodyType: tea.String("formData"),',
        '\tBodyType:    tea.String("json"),',
        "}",
        "request := &openapi.OpenApiRequest{",
        *_string_map("Query", "map[string]*string", query, "tea.String({})"),
        *_string_map("Body", "map[string]interface{}", form, "{}"),
        "}",
        "response, err := client.CallApi(params, request, &util.RuntimeOptions{})",
    ]
    return _build_program(imports, call, "openapi.NewClient", lines)


def _string_map(name: str, kind: str, fields: dict[str, str], form: str) -> list[str]:
    if not fields:
        return []
    items = [f"\t\t{literal(key)}: {form.replace('{}', literal(value))}," for key, value in fields.items()]
    return [f"\t{name}: {kind}{{", *items, "\t},"]
