"""The pages and forms of connections."""

from __future__ import annotations

from typing import Any

from tests.conftest import KEY_ID, KEY_SECRET

LIST, ADD = "/acme/-/connections/", "/acme/-/connections/add/"
EDIT, TEST, DELETE = (f"/acme/-/connections/sandbox/{verb}/" for verb in ("edit", "test", "delete"))
VALID = {
    "name": "Production",
    "slug": "",
    "region": "cn-shanghai",
    "instance_id": "",
    "endpoint": "http://emulator.test",
    "access_key_id": KEY_ID,
    "access_key_secret": KEY_SECRET,
    "security_token": "",
}
UNCHANGED = {**VALID, "name": "Sandbox", "access_key_secret": ""}


def read_errors(response: Any, field: str = "") -> str:
    """The errors of a form at a field, or above the form."""
    assert response.status_code == 422, response.status_code
    form = response.context["form"]
    return " ".join(form.errors.get(field or "__all__", []))
