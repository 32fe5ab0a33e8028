"""The HTTP API under a fuzzer: no request made from its document causes a server error or an undocumented response.

`python -m tests.bench.fuzz 60` does so for a minute, always with the same random numbers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from tests.console_process import Quickstart, sign_in

SECONDS = 600
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)


def run(seconds: int = SECONDS, *options: str) -> list[str]:
    """Send requests for so many seconds. Returns the summary. Raises RuntimeError with the report if something was found."""
    with tempfile.TemporaryDirectory() as folder:
        home, document = Path(folder) / "home", Path(folder) / "openapi.json"
        unlimited = dict.fromkeys(("API_REQUESTS", "API_GUESSES"), "1000000")
        with Quickstart(home, "--devices", "400", "--pace", "fast", **unlimited) as console:
            address, email, password = console.start()
            header = f"Authorization: Bearer {_create_token(address, email, password)}"
            document.write_text(json.dumps(_get_document(address)))
            command = [
                *(Path(sys.executable).with_name("schemathesis"), "run", document, "--url", address),
                *("--header", header, "--phases", "coverage,fuzzing,stateful"),
                *("--checks", ",".join(CHECKS), "--max-time", str(seconds), "--no-shrink", "--no-color"),
                *("--warnings", "off", "--generation-database", "none", *options),
            ]
            report = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if report.returncode:
                raise RuntimeError(f"{report.stdout}\n{report.stderr}\n{_list_errors(console.output)}")
    return re.findall(r"^.*(?:generated|passed|Seed).*$", report.stdout, re.MULTILINE)


def _get_document(address: str) -> dict[str, Any]:
    """Return the document of the API for one connection: requests for others would get nothing but 404."""
    document: dict[str, Any] = httpx.get(f"{address}/api/v1/openapi.json", trust_env=False).json()
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] == "connection":
                    parameter["schema"] = {"type": "string", "enum": ["sandbox"]}
    return document


def _create_token(address: str, email: str, password: str) -> str:
    browser = sign_in(address, email, password)
    form = {"name": "fuzzer", "role": "administrator", "scope": "all", "days": "5"}
    token = browser.cookies["fleetdesk_csrf"]
    page = browser.post("/demo/-/tokens/own/add/", data={**form, "csrfmiddlewaretoken": token})
    return re.findall(r"\bfd_\w+", page.text)[0]


def _list_errors(output: str) -> str:
    """Return the tracebacks in the log of the console."""
    return "\n".join(re.findall(r"(?m)^.*Traceback(?:\n.*){1,60}", output))


if __name__ == "__main__":
    print("\n".join(run(int(sys.argv[1]), "--seed", "1")))  # noqa: T201
