"""The same call as code: named as each SDK names things, every value escaped, no keys in it."""

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

from console.cloud.catalogue import operation, operations
from console.explorer.code import (
    LANGUAGES,
    CodeCall,
    cpp,
    csharp,
    go,
    java,
    language,
    node,
    php,
    python,
    usable,
)
from console.explorer.code.call import camel, snake

EVIL = "\"'\\ \n\r\t\0 $x ${y} #{z} `id` */ */ // <?= ?> ??= %s {0} \u2028\u202e 冷库 \U0001f600 \\u0041"


def written(slug: str, name: str, **params: object) -> str:
    return language(slug).write(CodeCall(operation(name), params, "cn-shanghai", "iot.example.com"))


def a_value(parameter):
    return {"Integer": 1, "Long": 2, "Boolean": True}.get(parameter.type, "x")


def everything(name: str) -> dict[str, object]:
    params: dict[str, object] = {}
    for p in operation(name).parameters.values():
        if p.member:
            params.setdefault(p.base, [{}])[0][p.member] = a_value(p)  # type: ignore[index]
        else:
            params[p.base] = ["x", "y"] if p.repeated else a_value(p)
    return params


@pytest.mark.parametrize("slug", [each.slug for each in LANGUAGES])
def test_every_operation_can_be_written_with_everything_it_takes(slug):
    for name in operations():
        text = written(slug, name, **everything(name))
        assert name in text
        assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in text
        assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in text
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", operations())
def test_python_code_uses_what_the_sdk_has(name):
    call = CodeCall(operation(name), everything(name), "cn-shanghai", "iot.example.com")
    text = python.write(call)
    ast.parse(text)
    for fewer in ({}, {k: v for k, v in call.params.items() if k not in {"NextToken"}}):
        params = fewer or call.params
        call = CodeCall(operation(name), params, "cn-shanghai", "iot.example.com")
        if not call.typed(python=True):
            continue
        made = re.search(r"request = (models\.\w+Request\(.*?\n\))\nresponse", python.write(call), re.S)
        assert made
        request = eval(made[1], {"models": models})
        sent = request.to_map()
        assert set(sent) == {p.base for p in operation(name).parameters.values() if p.base in params}
        assert sent == params
        assert callable(getattr(sdk.Client, snake(name)))


def test_what_the_sdk_lacks_is_what_the_general_request_is_for():
    for name, described in operations().items():
        request = getattr(models, f"{name}Request", None)
        for parameter in described.parameters.values():
            call = CodeCall(described, {parameter.base: "x"}, "r", "h")
            has = request is not None and snake(parameter.base) in inspect.signature(request).parameters
            assert call.typed(python=True) == has, (name, parameter.name)


@pytest.mark.parametrize(
    ("name", "snaked", "camelled"),
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
def test_names_are_changed_as_the_sdks_change_them(name, snaked, camelled):
    assert (snake(name), camel(name)) == (snaked, camelled)


def test_each_language_calls_its_sdk():
    params = {"ProductKey": "a1", "PageSize": 5}
    assert 'models.QueryDeviceRequest(\n    page_size=5,\n    product_key="a1",\n)' in written(
        "python", "QueryDevice", **params
    )
    assert "client.queryDeviceWithOptions(request, new RuntimeOptions())" in written(
        "java", "QueryDevice", **params
    )
    assert '.setProductKey("a1")' in written("java", "QueryDevice", **params)
    assert 'productKey: "a1",' in written("node", "QueryDevice", **params)
    assert 'ProductKey: tea.String("a1")' in written("go", "QueryDevice", **params)
    assert "PageSize: tea.Int32(5)" in written("go", "QueryDevice", **params)
    assert "'productKey' => 'a1'," in written("php", "QueryDevice", **params)
    assert 'ProductKey = "a1",' in written("csharp", "QueryDevice", **params)
    assert 'request.setQueryParameter("ProductKey", "a1");' in written("cpp", "QueryDevice", **params)
    devices = {"GroupId": "g", "Device": [{"ProductKey": "a", "DeviceName": "d"}]}
    name = "BatchAddDeviceGroupRelations"
    assert f"new {name}Request.{name}RequestDevice()" in written("java", name, **devices)
    assert f"new {name}Request.{name}RequestDevice {{" in written("csharp", name, **devices)
    assert f"new iot.{name}RequestDevice({{" in written("node", name, **devices)
    assert f"[]*iot.{name}RequestDevice{{" in written("go", name, **devices)
    assert "new device([" in written("php", name, **devices)
    assert 'setQueryParameter("Device.1.ProductKey", "a")' in written("cpp", name, **devices)


def test_numbers_of_64_bits_are_written_as_such():
    params = {"RuleId": 2**40}
    assert f".setRuleId({2**40}L)" in written("java", "GetRule", **params)
    assert f"RuleId: tea.Int64({2**40})" in written("go", "GetRule", **params)
    assert f"RuleId = {2**40}L" in written("csharp", "GetRule", **params)


# -- escaping ----------------------------------------------------------------------------------------------------------


def test_a_literal_reads_back_as_the_text():
    assert ast.literal_eval(python.text(EVIL)) == EVIL
    assert json.loads(node.text(EVIL)) == EVIL


@pytest.mark.parametrize(
    "write", [python.text, node.text, go.text, csharp.text, java.text, cpp.text, php.text]
)
def test_no_literal_holds_a_line_break_or_what_does_not_print(write):
    text = write(EVIL)
    assert text.isprintable()
    assert not re.search(r'(?<!\\)(\\\\)*"', text[1:-1]) or text[0] == "'"


@pytest.mark.parametrize(
    ("write", "value", "literal"),
    [
        (java.text, "\n", r'"\n"'),
        (java.text, "\0" + "1", r'"\0001"'),
        (java.text, "\u2028", r'"\u2028"'),
        (java.text, "\\u0041", r'"\\u0041"'),
        (node.text, "${x}`", '"${x}`"'),
        (node.text, "\u2028", r'"\u2028"'),
        (go.text, "`x`\n", r'"`x`\n"'),
        (go.text, "\U000e0001", r'"\U000e0001"'),
        (csharp.text, '{0}"', r'"{0}\""'),
        (php.text, "$x {$y} it's \\", r"'$x {$y} it\'s \\'"),
        (php.text, "$x\n", r'"\$x\n"'),
        (php.text, "\u202e", r'"\u{202e}"'),
        (cpp.text, "??=", r'"?\?="'),
        (cpp.text, "\x011", r'"\0011"'),
        (python.text, "'\"#{x}", r'''"'\"#{x}"'''),
    ],
)
def test_each_language_escapes_what_it_would_read_as_something_else(write, value, literal):
    assert write(value) == literal


def test_a_shell_reads_nothing_but_the_value_as_it_travels():
    text = written("curl", "UpdateProduct", ProductKey="a1", Description=EVIL, ProductName="$(id)`id`';id;'")
    query = re.search(r"^query=(.*)$", text, re.M)
    assert query
    assert re.fullmatch(r"'[A-Za-z0-9%=&._~-]*'", query[1])
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True).returncode == 0


def test_a_hostile_endpoint_stays_a_text():
    host = 'h"; $(id)\n//'
    call = CodeCall(operation("QueryProduct"), {"ProductKey": "a"}, "cn", host)
    shell = re.search(r"^host=(.*?)\nquery=", language("curl").write(call), re.M | re.S)
    assert shell
    assert shlex.split(shell[1]) == [host]
    for slug, write in {
        "python": python.text,
        "java": java.text,
        "node": node.text,
        "go": go.text,
        "php": php.text,
        "csharp": csharp.text,
        "cpp": cpp.text,
    }.items():
        text = language(slug).write(call)
        assert text.count("$(id)") == 1 or slug == "php"
        assert write(host) in text


def test_a_token_is_read_from_the_environment_too_when_the_keys_have_one():
    for each in LANGUAGES:
        call = CodeCall(operation("QueryProduct"), {"ProductKey": "a"}, "r", "h", token=True)
        assert "ALIBABA_CLOUD_SECURITY_TOKEN" in each.write(call)


def test_half_typed_values_have_no_place_in_code():
    described = operation("QueryDevice")
    assert usable(described, {"ProductKey": "a", "PageSize": "many"}) == {"ProductKey": "a"}
