"""The client and the emulator are packages of their own: they work where Django is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "console"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())

import httpx
import iot_client, iot_emulator
from iot_client.client import Client, Credentials

for package in (iot_client, iot_emulator):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

app = iot_emulator.create_app("emulator.sqlite3", keys={"id": "secret"})
with Client(
    Credentials("id", "secret"), endpoint="http://emulator.test", transport=httpx.WSGITransport(app=app)
) as client:
    client.call("CreateProduct", ProductName="Meters", NodeType=0)
    print(client.call("QueryProductList", CurrentPage=1)["Data"]["Total"])
app.close()
"""


def test_the_client_and_the_emulator_need_no_django(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (process.stdout, process.stderr) == ("1\n", "")
