"""Calls as code: names as in each SDK, all values escaped, no keys."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import subprocess

import pytest
from alibabacloud_iot20180120 import client as sdk
from alibabacloud_iot20180120 import models

from console.explorer.code import (
    LANGUAGES,
    CodeCall,
    cpp,
    csharp,
    drop_invalid_params,
    find_language,
    go,
    java,
    node,
    php,
    python,
)
from console.explorer.code.call import camel_case, snake_case
from iot_client.catalogue import operation, operations

EVIL = "\"'\\ \n\r\t\0 $x ${y} #{z} `id` */ */ // <?= ?> ??= %s {0} \u2028\u202e 冷库 \U0001f600 \\u0041"


def write_code(slug: str, name: str, **params: object) -> str:
    return find_language(slug).write(CodeCall(operation(name), params, "cn-shanghai", "iot.example.com"))


def example_value(parameter):
    return {"Integer": 1, "Long": 2, "Boolean": True}.get(parameter.type, "x")


def all_parameters(name: str) -> dict[str, object]:
    params: dict[str, object] = {}
    for p in operation(name).parameters.values():
        if p.member:
            params.setdefault(p.base, [{}])[0][p.member] = example_value(p)  # type: ignore[index]
        else:
            params[p.base] = ["x", "y"] if p.repeated else example_value(p)
    return params


@pytest.mark.parametrize("slug", [each.slug for each in LANGUAGES])
def test_every_operation_can_be_written_with_all_its_parameters(slug):
    for name in operations():
        text = write_code(slug, name, **all_parameters(name))
        assert name in text
        assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in text
        assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in text
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", operations())
def test_python_code_uses_what_the_sdk_has(name):
    call = CodeCall(operation(name), all_parameters(name), "cn-shanghai", "iot.example.com")
    text = python.write(call)
    ast.parse(text)
    for fewer in ({}, {k: v for k, v in call.params.items() if k not in {"NextToken"}}):
        params = fewer or call.params
        call = CodeCall(operation(name), params, "cn-shanghai", "iot.example.com")
        if not call.is_supported_by_sdk(python=True):
            continue
        match = re.search(r"request = (models\.\w+Request\(.*?\n\))\nresponse", python.write(call), re.S)
        assert match
        request = eval(match[1], {"models": models})
        sent = request.to_map()
        assert set(sent) == {p.base for p in operation(name).parameters.values() if p.base in params}
        assert sent == params
        assert callable(getattr(sdk.Client, snake_case(name)))


def test_the_generic_request_is_used_for_what_the_sdk_lacks():
    for name, described in operations().items():
        request = getattr(models, f"{name}Request", None)
        for parameter in described.parameters.values():
            call = CodeCall(described, {parameter.base: "x"}, "r", "h")
            is_supported = (
                request is not None and snake_case(parameter.base) in inspect.signature(request).parameters
            )
            assert call.is_supported_by_sdk(python=True) == is_supported, (name, parameter.name)


@pytest.mark.parametrize(
    ("name", "snake", "camel"),
    [
        ("ProductKey", "product_key", "productKey"),
        ("SQL", "sql", "SQL"),
        ("Id2", "id_2", "id2"),
        ("FileMd5", "file_md_5", "fileMd5"),
        ("RequestBase64Byte", "request_base_64byte", "requestBase64Byte"),
        ("ListOTAFirmware", "list_otafirmware", "listOTAFirmware"),
        ("RRpc", "r_rpc", "rRpc"),
    ],
)
def test_names_are_changed_as_the_sdks_change_them(name, snake, camel):
    assert (snake_case(name), camel_case(name)) == (snake, camel)


def test_each_language_calls_its_sdk():
    params = {"ProductKey": "a1", "PageSize": 5}
    assert 'models.QueryDeviceRequest(\n    page_size=5,\n    product_key="a1",\n)' in write_code(
        "python", "QueryDevice", **params
    )
    assert "client.queryDeviceWithOptions(request, new RuntimeOptions())" in write_code(
        "java", "QueryDevice", **params
    )
    assert '.setProductKey("a1")' in write_code("java", "QueryDevice", **params)
    assert 'productKey: "a1",' in write_code("node", "QueryDevice", **params)
    assert 'ProductKey: tea.String("a1")' in write_code("go", "QueryDevice", **params)
    assert "PageSize: tea.Int32(5)" in write_code("go", "QueryDevice", **params)
    assert "'productKey' => 'a1'," in write_code("php", "QueryDevice", **params)
    assert 'ProductKey = "a1",' in write_code("csharp", "QueryDevice", **params)
    assert 'request.setQueryParameter("ProductKey", "a1");' in write_code("cpp", "QueryDevice", **params)
    devices = {"GroupId": "g", "Device": [{"ProductKey": "a", "DeviceName": "d"}]}
    name = "BatchAddDeviceGroupRelations"
    assert f"new {name}Request.{name}RequestDevice()" in write_code("java", name, **devices)
    assert f"new {name}Request.{name}RequestDevice {{" in write_code("csharp", name, **devices)
    assert f"new iot.{name}RequestDevice({{" in write_code("node", name, **devices)
    assert f"[]*iot.{name}RequestDevice{{" in write_code("go", name, **devices)
    assert "new device([" in write_code("php", name, **devices)
    assert 'setQueryParameter("Device.1.ProductKey", "a")' in write_code("cpp", name, **devices)


def test_64_bit_numbers_are_written_as_such():
    params = {"RuleId": 2**40}
    assert f".setRuleId({2**40}L)" in write_code("java", "GetRule", **params)
    assert f"RuleId: tea.Int64({2**40})" in write_code("go", "GetRule", **params)
    assert f"RuleId = {2**40}L" in write_code("csharp", "GetRule", **params)


# -- escaping ----------------------------------------------------------------------------------------------------------


def test_a_literal_reads_back_as_the_text():
    assert ast.literal_eval(python.literal(EVIL)) == EVIL
    assert json.loads(node.literal(EVIL)) == EVIL


@pytest.mark.parametrize(
    "write",
    [python.literal, node.literal, go.literal, csharp.literal, java.literal, cpp.literal, php.literal],
)
def test_no_literal_contains_a_line_break_or_unprintable_characters(write):
    text = write(EVIL)
    assert text.isprintable()
    assert not re.search(r'(?<!\\)(\\\\)*"', text[1:-1]) or text[0] == "'"


@pytest.mark.parametrize(
    ("write", "value", "expected"),
    [
        (java.literal, "\n", r'"\n"'),
        (java.literal, "\0" + "1", r'"\0001"'),
        (java.literal, "\u2028", r'"\u2028"'),
        (java.literal, "\\u0041", r'"\\u0041"'),
        (node.literal, "${x}`", '"${x}`"'),
        (node.literal, "\u2028", r'"\u2028"'),
        (go.literal, "`x`\n", r'"`x`\n"'),
        (go.literal, "\U000e0001", r'"\U000e0001"'),
        (csharp.literal, '{0}"', r'"{0}\""'),
        (php.literal, "$x {$y} it's \\", r"'$x {$y} it\'s \\'"),
        (php.literal, "$x\n", r'"\$x\n"'),
        (php.literal, "\u202e", r'"\u{202e}"'),
        (cpp.literal, "??=", r'"?\?="'),
        (cpp.literal, "\x011", r'"\0011"'),
        (python.literal, "'\"#{x}", r'''"'\"#{x}"'''),
    ],
)
def test_each_language_escapes_its_special_characters(write, value, expected):
    assert write(value) == expected


def test_a_shell_interprets_nothing_in_the_values():
    text = write_code(
        "curl", "UpdateProduct", ProductKey="a1", Description=EVIL, ProductName="$(id)`id`';id;'"
    )
    query = re.search(r"^query=(.*)$", text, re.M)
    assert query
    assert re.fullmatch(r"'[A-Za-z0-9%=&._~-]*'", query[1])
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True).returncode == 0


def test_a_hostile_endpoint_stays_a_text():
    host = 'h"; $(id)\n//'
    call = CodeCall(operation("QueryProduct"), {"ProductKey": "a"}, "cn", host)
    shell = re.search(r"^host=(.*?)\nquery=", find_language("curl").write(call), re.M | re.S)
    assert shell
    assert shlex.split(shell[1]) == [host]
    for slug, write in {
        "python": python.literal,
        "java": java.literal,
        "node": node.literal,
        "go": go.literal,
        "php": php.literal,
        "csharp": csharp.literal,
        "cpp": cpp.literal,
    }.items():
        text = find_language(slug).write(call)
        assert text.count("$(id)") == 1 or slug == "php"
        assert write(host) in text


def test_the_security_token_is_read_from_the_environment_too():
    for each in LANGUAGES:
        call = CodeCall(operation("QueryProduct"), {"ProductKey": "a"}, "r", "h", has_token=True)
        assert "ALIBABA_CLOUD_SECURITY_TOKEN" in each.write(call)


def test_incomplete_values_are_not_written_as_code():
    described = operation("QueryDevice")
    assert drop_invalid_params(described, {"ProductKey": "a", "PageSize": "many"}) == {"ProductKey": "a"}
