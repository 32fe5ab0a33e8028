"""Copies the files that pages load from `node_modules` to `static/vendor/`; `make assets` runs it after `npm ci`.

A script without dependencies.
"""

from __future__ import annotations

import json
import re
import shutil
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"

# Path in node_modules -> path in static/vendor.
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
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
# The manifest storage would look for these files, which are not copied.
SOURCE_MAP = re.compile(rb"(?:/\*|//)# sourceMappingURL=[^\n]*\n?")


def copy() -> None:
    """Copies the files and packs the icons into one file."""
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
    pack_icons()


def pack_icons() -> None:
    """Writes icons.json: the name of each outline icon and the content of its SVG."""
    nodes = json.loads((MODULES / "@tabler/icons/tabler-nodes-outline.json").read_text())
    icons = {
        name: "".join(
            f"<{tag}" + "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items()) + "/>"
            for tag, attributes in elements
        )
        for name, elements in nodes.items()
    }
    (VENDOR / "icons.json").write_text(json.dumps(icons, separators=(",", ":")))


if __name__ == "__main__":
    copy()
