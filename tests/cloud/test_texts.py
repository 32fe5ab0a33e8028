"""What people read of the catalogue and of the error codes: there for everything, short, and in our own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cloud import catalogue, codes, errors
from console.cloud.catalogue import operations
from console.cloud.codes import meaning, meanings
from console.cloud.errors import CloudError, classify, explain
from console.cloud.messages import messages, template

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"
TEXTS = Path(catalogue.__file__).parent / "text"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference beside this checkout")
LONGEST = 200
AREA = re.compile(
    r"iot\.(system|sre|common|check|prod|device|devicesearch|tsl|provisioning|group|messagebroker|messageborker|rule|ruleng"
    r"|consumer|firmware|ota|dap)\.",
    re.I,
)
RUN = 8
"""Consecutive words that may not be the same as the reference's."""


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of eight words in a text, without marks and in lower case."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return (tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))


# --- operations and parameters


def test_every_operation_and_parameter_is_described_by_a_short_sentence() -> None:
    for op in operations().values():
        for name, text in [
            (op.name, op.description),
            *((f"{op.name}.{p.name}", p.description) for p in op.parameters.values()),
        ]:
            assert 0 < len(text) <= LONGEST, name
            assert text == text.strip(), name
            assert text.endswith("."), name
            assert text[0].isupper(), name


def test_no_two_operations_of_a_group_are_described_alike() -> None:
    seen: dict[tuple[str, str], str] = {}
    for op in operations().values():
        assert seen.setdefault((op.group, op.description), op.name) == op.name


def test_texts_are_about_what_there_is_and_said_once() -> None:
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
                above = texts["parameters"].get(parameter) or common.get(parameter)
                assert text != above, f"{name}.{parameter} is said above already"
            inherited |= set(op.parameters) - set(own)
        assert set(texts["parameters"]) <= inherited, group
        used |= inherited - set(texts["parameters"])
    assert set(common) <= used


# --- error codes


def the_table_s_codes() -> Iterator[str]:
    """The places where the reference's table names a code: the text from there on, without the spaces it is broken by."""
    for name, start in (
        ("error-codes.txt", "System error codes"),
        ("edge-overview-signing-errors.zh.txt", "错误码\t描述"),
    ):
        text = (REFERENCE / name).read_text(encoding="utf-8").partition(start)[2]
        text = re.sub(r"<[^>]+>|\s", "", text)
        for found in AREA.finditer(text):
            yield text[found.start() : found.start() + 100]


@needs_reference
def test_every_code_of_the_reference_is_known() -> None:
    known = sorted((code.lower() for code in meanings() if not code.endswith("*")), key=len, reverse=True)
    named = set()
    for text in the_table_s_codes():
        code = next((code for code in known if text.lower().startswith(code)), None)
        assert code is not None, text
        # The longest that fits must be the whole of it: what follows is another code or a sentence, not more of a name.
        rest = text[len(code) :]
        assert re.match(r"$|[^a-z]|(?i:iot\.)|desire|report|role|region", rest), text
        named.add(code)
    assert len(named) > 470
    for code in ("invalididentifierinserviceerror", "invalididentifierinpropertyerror"):
        assert code in known


def test_every_code_has_a_family_and_says_what_happened_and_what_to_do() -> None:
    for code, found in meanings().items():
        assert issubclass(getattr(errors, found.family), CloudError), code
        for text in (found.title, found.advice):
            assert 0 < len(text) <= LONGEST, code
            assert text == text.strip(), code
            assert text.endswith("."), code
        assert found.title != found.advice


def test_a_code_is_said_once() -> None:
    lower = [code.lower() for code in meanings()]
    assert len(lower) == len(set(lower))
    assert len(lower) == sum(
        len(found)
        for path in Path(codes.__file__).parent.glob("*.json")
        for found in json.loads(path.read_text(encoding="utf-8")).values()
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
# The words of these mislead.
ODD = {
    "iot.system.UidNotFound",
    "iot.provisioning.CaptchaNotFound",
    "iot.device.InvalidDeviceNickNameExisted",
    "iot.firmware.IncorrectDeviceUpgradeJobStatus",
    "iot.ota.ListOTAModuleParamError",
    "InvalidAccessKeyId.NotFound",
    "InvalidProduct.NotFound",
}


@pytest.mark.parametrize(("pattern", "families"), FAMILIES.items())
def test_families_are_as_the_words_of_the_codes_say(pattern: str, families: set[type[CloudError]]) -> None:
    matching = [
        code for code in meanings() if re.search(pattern, code) and code not in ODD and code[-1] != "*"
    ]
    assert matching
    assert {code: classify(code) for code in matching if classify(code) not in families} == {}


def test_a_beginning_stands_for_the_codes_that_have_no_words_of_their_own() -> None:
    assert classify("MissingShadowMessage") is errors.InvalidParameter
    assert "required" in explain(errors.InvalidParameter("MissingShadowMessage")).title
    assert classify("MissingSecurityToken") is errors.SignatureRefused
    assert classify("Throttling.Whatever") is errors.Throttled
    assert meaning("nothing.of.the.Kind") is None


# --- all


@needs_reference
def test_no_text_shares_eight_words_in_a_row_with_the_reference() -> None:
    theirs = {
        run
        for path in REFERENCE.rglob("*.txt")
        for run in runs(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert theirs
    shared = {place: text for place, text in messages() if not theirs.isdisjoint(runs(text))}
    assert shared == {}


def test_every_text_can_be_translated() -> None:
    printed = template()
    for _place, text in messages():
        assert f"msgid {json.dumps(text, ensure_ascii=False)}\n" in printed
    assert printed.count("msgid") == len({text for _place, text in messages()}) + 1
