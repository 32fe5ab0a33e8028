"""Copies the files that pages load from `node_modules` to `static/vendor/`; `make assets` runs it after `npm ci`.

The stylesheet of Tabler is reduced to the rules that the console uses, by PurgeCSS, which needs `node`. A script without
dependencies in Python.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"

# Path in node_modules -> path in static/vendor.
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "fonts/inter-latin-ext.woff2",
    "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2": "fonts/mono-latin.woff2",
}
LICENSES = {  # the stylesheet of @tabler/core contains its license in a comment
    "@tabler/icons": "tabler-icons",
    "htmx.org": "htmx",
    "uplot": "uplot",
    "@fontsource-variable/inter": "inter",
    "@fontsource-variable/jetbrains-mono": "jetbrains-mono",
}
STYLESHEET = MODULES / "@tabler/core/dist/css/tabler.min.css"
REDUCED = VENDOR / "tabler.min.css"
# A rule is kept if each class, id and element of its selector is a word of one of these files.
STYLED = ("templates/**/*.html", "console/**/*.py", "static/!(vendor)/**/*.js")
# Any quoted word in templates and Python code may be the name of an icon.
CLASS_SELECTOR = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
CLASS_ATTRIBUTE = re.compile(r"""class=(?:"([^"]*)"|'([^']*)')""")
TEMPLATE_TAG = re.compile(r"{[{%#].{0,300}?[}%#]}")
QUOTED_WORD = re.compile(r"""["']([a-z0-9]+(?:-[a-z0-9]+)*)["']""")
# The manifest storage would look for these files, which are not copied.
SOURCE_MAP = re.compile(rb"(?:/\*|//)# sourceMappingURL=[^\n]*\n?")


def copy() -> None:
    """Copies the files and makes the sprite of icons."""
    for source, target in FILES.items():
        content = (MODULES / source).read_bytes()
        if target.endswith((".js", ".css")):
            content = SOURCE_MAP.sub(b"", content)
        path = VENDOR / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for package, name in LICENSES.items():
        license = next(p for p in (MODULES / package).iterdir() if p.name.upper().startswith("LICEN"))
        path = VENDOR / "licenses" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(license, path)
    reduce_stylesheet()
    make_sprite()


def reduce_stylesheet() -> None:
    """Writes tabler.min.css with the rules that the console uses. Exits if a rule of a class in a template would be missing."""
    program = MODULES / "purgecss/bin/purgecss.js"
    files = ["--css", str(STYLESHEET), "--content", *STYLED, "--output", str(REDUCED)]
    subprocess.run(["node", str(program), *files], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    REDUCED.write_bytes(SOURCE_MAP.sub(b"", REDUCED.read_bytes()))
    if missing := sorted(_template_classes() & find_removed_classes()):
        raise SystemExit(f"The reduced stylesheet lacks classes that templates use: {', '.join(missing)}")


def find_removed_classes() -> set[str]:
    """The classes for which Tabler has rules and the reduced stylesheet has none."""
    return _styled_classes(STYLESHEET) - _styled_classes(REDUCED)


def _styled_classes(path: Path) -> set[str]:
    return set(CLASS_SELECTOR.findall(path.read_text(encoding="utf-8")))


def _template_classes() -> set[str]:
    """The words in the class attributes of templates."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.html"))
    attributes = (
        a or b for source in sources for a, b in CLASS_ATTRIBUTE.findall(TEMPLATE_TAG.sub(" ", source))
    )
    return {word for attribute in attributes for word in attribute.split()}


def make_sprite() -> None:
    """Writes icons.svg: a symbol for each outline icon that a template or Python code names."""
    nodes = json.loads((MODULES / "@tabler/icons/tabler-nodes-outline.json").read_text())
    shapes = {
        name: "".join(
            f"<{tag}" + "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items()) + "/>"
            for tag, attributes in nodes[name]
        )
        for name in sorted(_quoted_words() & nodes.keys())
    }
    symbols = "".join(
        f'<symbol id="{name}" viewBox="0 0 24 24">{shape}</symbol>\n' for name, shape in shapes.items()
    )
    (VENDOR / "icons.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}</svg>\n')


def _quoted_words() -> set[str]:
    sources = [*(ROOT / "console").rglob("*.py"), *(ROOT / "templates").rglob("*.html")]
    return {word for source in sources for word in QUOTED_WORD.findall(source.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    copy()
