"""Every language is complete, and no translation breaks a message."""

from __future__ import annotations

import ast
import gettext
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

from console.accounts.models import User
from console.ui.format import number
from console.ui.translations import FOLDERS, ROOT, compile_file, find_po_files
from iot_client.messages import list_messages

OTHERS = [to_locale(code) for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
INTERFACE, CATALOGUE = FOLDERS
WITH_CONTEXT = {f"{n}pgettext{lazy}" for n in ("", "n") for lazy in ("", "_lazy")}
FUNCTIONS = WITH_CONTEXT | {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
LITERAL = r"u?(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
CALL = re.compile(rf"\b({'|'.join(sorted(FUNCTIONS))})\(\s*({LITERAL}(?:\s*,\s*{LITERAL})*)")
PLACEHOLDER = re.compile(r"%\(\w+(?:\|\w+)*\)[sd]|%[sd%]|\{\w+\}|</?\w[^>]*>")

Message = tuple[str, str]  # context, English


def test_every_language_has_its_files() -> None:
    for locale in OTHERS:
        for folder in FOLDERS:
            assert (folder / locale / "LC_MESSAGES" / "django.po").is_file()


@pytest.fixture(params=OTHERS)
def interface(request: pytest.FixtureRequest) -> polib.POFile:
    return polib.pofile(str(INTERFACE / request.param / "LC_MESSAGES" / "django.po"))


@pytest.fixture(params=OTHERS)
def catalogue(request: pytest.FixtureRequest) -> polib.POFile:
    return polib.pofile(str(CATALOGUE / request.param / "LC_MESSAGES" / "django.po"))


def test_the_interface_is_translated_in_full(interface: polib.POFile) -> None:
    wanting = [entry.msgid for entry in interface if not entry.translated() and not entry.obsolete]
    assert wanting == []


def test_every_message_in_code_and_templates_has_an_entry(interface: polib.POFile) -> None:
    # docs/translations.md describes how to add a new sentence to the file.
    known = {(entry.msgctxt or "", entry.msgid) for entry in interface if not entry.obsolete}
    assert sorted(set(_marked_messages()) - known) == []


def test_catalogue_translations_have_an_english_source(catalogue: polib.POFile) -> None:
    assert {entry.msgid for entry in catalogue} - {text for _where, text in list_messages()} == set()


def test_a_translation_keeps_placeholders_and_markup(
    interface: polib.POFile, catalogue: polib.POFile
) -> None:
    wrong = [
        (entry.msgid, translation)
        for entry in [*interface, *catalogue]
        for translation in entry.msgstr_plural.values() or [entry.msgstr]
        if translation and _placeholders(translation) != _placeholders(entry.msgid, entry.msgid_plural)
    ]
    assert wrong == []


CHINESE = r"[\u4e00-\u9fff]"
TYPOGRAPHY = {
    "你 instead of 您": "你",
    "a space at a punctuation mark": r"[，。；：！？、“”（）] | [，。；：！？、”（）]",
    "a half-width mark": rf"{CHINESE}[,.:;!?()](?!\w)|[,:;!?()]{CHINESE}",
    "straight quotation marks": rf"[\"']{CHINESE}|{CHINESE}[\"']",
    "no space between Chinese and Latin": rf"{CHINESE}(?:<\w[^>]*>)?[A-Za-z0-9]|[A-Za-z0-9%)](?:</\w+>)?{CHINESE}",
    "a space before the percent sign": r"[\ds] %%?(?!\()",
}
# A value that is typed as it stands, and the name of a region.
LITERALS = re.compile(r"华东2（上海）|“标签:…”|键=值, 键|模块:标识符|%\(\w+\)[sd]")


def test_chinese_follows_the_rules_of_typography(interface: polib.POFile, catalogue: polib.POFile) -> None:
    # docs/translations.md has the rules.
    wrong = [
        (reason, translation)
        for entry in [*interface, *catalogue]
        for translation in entry.msgstr_plural.values() or [entry.msgstr]
        for reason, pattern in TYPOGRAPHY.items()
        if re.search(pattern, LITERALS.sub("_", translation))
    ]
    assert wrong == []


def test_translations_compile_without_gettext_tools(tmp_path: Path) -> None:
    for source in find_po_files():
        copy = tmp_path / source.name
        shutil.copy(source, copy)
        compiled = compile_file(copy)
        with compiled.open("rb") as file:
            read = gettext.GNUTranslations(file)
        entry = next(e for e in polib.pofile(str(source)) if e.translated() and not e.msgctxt and e.msgstr)
        assert read.gettext(entry.msgid) == entry.msgstr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["django.mo", "django.po"]


# -- pages -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _compile_translations() -> None:
    for source in find_po_files():
        if not source.with_suffix(".mo").is_file():
            compile_file(source)


def test_the_browser_sets_the_language_before_sign_in(db: None, client: Client) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    text = page.content.decode()
    assert '<html lang="zh-hans"' in text
    assert "登录" in text
    assert "密码" in text
    assert "Password" not in text


def test_a_language_can_be_chosen_before_sign_in(db: None, client: Client) -> None:
    response = client.post("/i18n/language/", {"language": "zh-hans", "next": "/accounts/login/?next=/"})
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/")
    assert "登录" in client.get("/accounts/login/").content.decode()
    client.post("/i18n/language/", {"language": "en"})
    assert "Sign in" in client.get("/accounts/login/").content.decode()


def test_the_language_of_a_signed_in_user_is_stored_in_the_profile(sign_in: Callable[[str], Client]) -> None:
    sign_in("viewer").post("/i18n/language/", {"language": "zh-hans", "next": "/account/profile/"})
    page = sign_in("viewer").get("/account/profile/", headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="zh-hans"' in page
    assert "个人资料" in page


def test_choosing_a_language_redirects_only_within_the_console(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("viewer")
    response = client.post("/i18n/language/", {"language": "tlh", "next": "https://evil.example/"})
    assert response["Location"] == "/"
    assert not User.objects.exclude(language="").exists()


def test_numbers_are_grouped_in_every_language() -> None:
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            assert number(1_346_000) == "1,346,000"


def _placeholders(*texts: str) -> set[str]:
    return {found for text in texts for found in PLACEHOLDER.findall(text)}


def _marked_messages() -> Iterator[Message]:
    """The messages marked for translation in code and templates."""
    for path in sorted((ROOT / "console").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                name = getattr(function, "id", getattr(function, "attr", ""))
                texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if name in FUNCTIONS and texts and isinstance(texts[0], str):
                    yield _message(name, texts)
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for name, literals in CALL.findall(templatize(path.read_text(encoding="utf-8"))):
            yield _message(name, [ast.literal_eval(text) for text in re.findall(LITERAL, literals)])


def _message(function: str, texts: list[str]) -> Message:
    return (texts[0], texts[1]) if function in WITH_CONTEXT else ("", texts[0])
