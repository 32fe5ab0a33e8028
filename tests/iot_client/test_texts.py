"""The texts of the catalogue and of the error codes: complete, short, and not copied from the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_client import catalogue, codes, errors
from iot_client.catalogue import operations
from iot_client.codes import find_meaning, load_meanings
from iot_client.errors import CloudError, classify, explain
from iot_client.messages import build_template, list_messages

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"
TEXTS = Path(catalogue.__file__).parent / "text"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference beside this checkout")
MAX_LENGTH = 200
AREA = re.compile(
    r"iot\.(system|sre|common|check|prod|device|devicesearch|tsl|provisioning|group|messagebroker|messageborker|rule|ruleng"
    r"|consumer|firmware|ota|dap)\.",
    re.I,
)
RUN_LENGTH = 8
"""Words. A text must not share a run of this many words with the reference."""


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of eight words in a text, without punctuation and in lower case."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return (tuple(words[start : start + RUN_LENGTH]) for start in range(len(words) - RUN_LENGTH + 1))


# --- operations and parameters


def test_every_operation_and_parameter_has_a_short_description() -> None:
    for op in operations().values():
        for name, text in [
            (op.name, op.description),
            *((f"{op.name}.{p.name}", p.description) for p in op.parameters.values()),
        ]:
            assert 0 < len(text) <= MAX_LENGTH, name
            assert text == text.strip(), name
            assert text.endswith("."), name
            assert text[0].isupper(), name


def test_operations_of_a_group_have_different_descriptions() -> None:
    seen: dict[tuple[str, str], str] = {}
    for op in operations().values():
        assert seen.setdefault((op.group, op.description), op.name) == op.name


def test_texts_belong_to_existing_parameters_and_do_not_repeat_inherited_texts() -> None:
    common = json.loads((TEXTS / "common.json").read_text(encoding="utf-8"))["parameters"]
    groups = {op.group for op in operations().values()}
    assert {path.stem for path in TEXTS.glob("*.json")} == groups | {"common"}
    used: set[str] = set()
    for group in groups:
        texts = json.loads((TEXTS / f"{group}.json").read_text(encoding="utf-8"))
        of_group = {op.name: op for op in operations().values() if op.group == group}
        assert set(texts["operations"]) == set(of_group)
        inherited: set[str] = set()
        for name, op in of_group.items():
            own = texts["operations"][name].get("parameters", {})
            assert set(own) <= set(op.parameters), name
            for parameter, text in own.items():
                inherited_text = texts["parameters"].get(parameter) or common.get(parameter)
                assert text != inherited_text, f"{name}.{parameter} repeats the inherited text"
            inherited |= set(op.parameters) - set(own)
        assert set(texts["parameters"]) <= inherited, group
        used |= inherited - set(texts["parameters"])
    assert set(common) <= used


# --- error codes


def read_code_texts() -> Iterator[str]:
    """The text that starts at each code in the tables of the reference, without white space (line breaks split codes)."""
    for name, start in (
        ("error-codes.txt", "System error codes"),
        ("edge-overview-signing-errors.zh.txt", "错误码\t描述"),
    ):
        text = (REFERENCE / name).read_text(encoding="utf-8").partition(start)[2]
        text = re.sub(r"<[^>]+>|\s", "", text)
        for match in AREA.finditer(text):
            yield text[match.start() : match.start() + 100]


@needs_reference
def test_every_code_of_the_reference_is_known() -> None:
    known = sorted(
        (code.lower() for code in load_meanings() if not code.endswith("*")), key=len, reverse=True
    )
    used = set()
    for text in read_code_texts():
        code = next((code for code in known if text.lower().startswith(code)), None)
        assert code is not None, text
        # The longest known code that matches must be the whole code: another code or a sentence follows, not the rest of a name.
        rest = text[len(code) :]
        assert re.match(r"$|[^a-z]|(?i:iot\.)|desire|report|role|region", rest), text
        used.add(code)
    assert len(used) > 470
    for code in ("invalididentifierinserviceerror", "invalididentifierinpropertyerror"):
        assert code in known


def test_every_code_has_a_family_a_title_and_an_advice() -> None:
    for code, meaning in load_meanings().items():
        assert issubclass(getattr(errors, meaning.family), CloudError), code
        for text in (meaning.title, meaning.advice):
            assert 0 < len(text) <= MAX_LENGTH, code
            assert text == text.strip(), code
            assert text.endswith("."), code
        assert meaning.title != meaning.advice


def test_a_code_is_defined_once() -> None:
    lower = [code.lower() for code in load_meanings()]
    assert len(lower) == len(set(lower))
    assert len(lower) == sum(
        len(codes_of_family)
        for path in Path(codes.__file__).parent.glob("*.json")
        for codes_of_family in json.loads(path.read_text(encoding="utf-8")).values()
    )


FAMILIES = {
    r"(NotExist|NotFound)$": {errors.NotFound},
    r"(NameExisted|AlreadyExisted\w+|NameExist|AlreadyFound)$": {errors.AlreadyExists},
    r"(ExceedMax|ExceedLimit|ExceedsLimit|CountExceeded)$": {errors.LimitExceeded},
    r"(NoPermission|PermissionDeny|Not\w+Owner|^Forbidden.*)$": {errors.AccessDenied},
    r"^iot\..*(\.Null\w+|\.Invalid\w*Format\w*|\.Incorrect\w+|IsNotJson)$": {errors.InvalidParameter},
    r"\.(Query|List)\w+(Failed|Error|Exception)$": {errors.ServiceError},
    r"\.(Create|Update|Delete)\w+(Failed|Failure|Exception)$": {errors.ServiceError},
    r"^Throttling": {errors.Throttled},
    r"SystemException$": {errors.Unavailable},
}
# The words in these codes do not match their family.
EXCEPTIONS = {
    "iot.system.UidNotFound",
    "iot.provisioning.CaptchaNotFound",
    "iot.device.InvalidDeviceNickNameExisted",
    "iot.firmware.IncorrectDeviceUpgradeJobStatus",
    "iot.ota.ListOTAModuleParamError",
    "InvalidAccessKeyId.NotFound",
    "InvalidProduct.NotFound",
}


@pytest.mark.parametrize(("pattern", "families"), FAMILIES.items())
def test_the_family_of_a_code_matches_the_words_in_the_code(
    pattern: str, families: set[type[CloudError]]
) -> None:
    matching = [
        code
        for code in load_meanings()
        if re.search(pattern, code) and code not in EXCEPTIONS and code[-1] != "*"
    ]
    assert matching
    assert {code: classify(code) for code in matching if classify(code) not in families} == {}


def test_a_prefix_applies_to_codes_that_have_no_own_entry() -> None:
    assert classify("MissingShadowMessage") is errors.InvalidParameter
    assert "required" in explain(errors.InvalidParameter("MissingShadowMessage")).title
    assert classify("MissingSecurityToken") is errors.SignatureRefused
    assert classify("Throttling.Whatever") is errors.Throttled
    assert find_meaning("nothing.of.the.Kind") is None


# --- all


@needs_reference
def test_no_text_shares_eight_words_in_a_row_with_the_reference() -> None:
    reference_runs = {
        run
        for path in REFERENCE.rglob("*.txt")
        for run in runs(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert reference_runs
    shared = {place: text for place, text in list_messages() if not reference_runs.isdisjoint(runs(text))}
    assert shared == {}


def test_every_text_can_be_translated() -> None:
    template = build_template()
    for _place, text in list_messages():
        assert f"msgid {json.dumps(text, ensure_ascii=False)}\n" in template
    assert template.count("msgid") == len({text for _place, text in list_messages()}) + 1
