"""A request body over the limit is rejected unread."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client

from console.audit.models import AuditRecord
from tests.api_programs import CreateProgram, problem_kind
from tests.conftest import Organization

SignIn = Callable[[str], Client]
MULTIPART = "multipart/form-data; boundary=x"


class Endless:
    """An endless body that records how much was read."""

    read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        self.read_bytes += max(size, 0)
        return b"x" * max(size, 0)

    readline = read


def send(client: Client, path: str, length: int | str, **headers: str) -> tuple[Any, int]:
    """Sends a body of that length; returns the response and the number of bytes read."""
    body = Endless()
    client.cookies["fleetdesk_csrf"] = "x" * 32
    extra: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": body}
    response = client.generic("POST", path, content_type=MULTIPART, headers=headers, **extra)
    return response, body.read_bytes


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/"])
def test_a_large_body_is_rejected_before_sign_in(org: Organization, path: str) -> None:
    response, read = send(Client(enforce_csrf_checks=True), path, 50_000_000)
    assert (response.status_code, read) == (413, 0)
    assert "Request too large" in response.content.decode()


@pytest.mark.parametrize("length", [10**30, "-1", "many"])
def test_an_invalid_content_length_is_rejected(org: Organization, length: int | str) -> None:
    assert send(Client(enforce_csrf_checks=True), "/accounts/login/", length)[0].status_code == 413


@pytest.mark.parametrize(("role", "status"), [("", 302), ("outsider", 404), ("owner", 413)])
@pytest.mark.parametrize(
    "path", ["ota/packages/new/", "ota/packages/x/batch/", "groups/new/", "devices/new/"]
)
def test_a_page_reads_no_more_than_its_limit(
    org: Organization, sign_in: SignIn, role: str, status: int, path: str
) -> None:
    response, read = send(sign_in(role), org.url(path), 5_000_000_000)
    assert (response.status_code, read) == (status, 0)


@pytest.mark.parametrize("path", ["ota/packages/new/", "ota/packages/x/batch/", "devices/registrations/new/"])
def test_a_file_is_not_read_without_permission_to_upload(
    org: Organization, sign_in: SignIn, path: str
) -> None:
    for length in (50_000_000, 500):
        response, read = send(sign_in("viewer"), org.url(path), length)
        assert (response.status_code, read) == (403, 0)
    response, read = send(sign_in("viewer"), org.url(path), 4_000_000, **{"HX-Request": "true"})
    assert (response.status_code, read) == (403, 0)
    assert "viewer" in unquote(response["X-Message"]).lower()
    assert AuditRecord.objects.filter(actor=org.members["viewer"], outcome="refused").exists()


def test_a_file_from_another_site_is_rejected(org: Organization) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(org.members["owner"])
    for path in ("ota/packages/new/", "ota/packages/x/batch/", "devices/registrations/new/"):
        file = SimpleUploadedFile("f.bin", b"x")
        assert client.post(org.url(path), {"file": file}).status_code == 403


@pytest.mark.parametrize("role", ["", "outsider"])
def test_a_body_is_not_read_without_access_to_the_page(org: Organization, sign_in: SignIn, role: str) -> None:
    assert send(sign_in(role), org.url("ota/packages/new/"), 1_000_000_000)[1] == 0


def test_htmx_gets_a_toast(org: Organization, sign_in: SignIn) -> None:
    response, _read = send(sign_in("owner"), org.url("groups/new/"), 5_000_000, **{"HX-Request": "true"})
    assert response.status_code == 413
    assert "Nothing%20was%20saved" in response["X-Message"]
    assert response.content == b""


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Path:
    """The folder of temporary files, whose disk is full after the first piece of a file. Files over 1 KB are stored there."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = str(folder), 1024
    write = TemporaryFileUploadHandler.receive_data_chunk

    def fill(self: TemporaryFileUploadHandler, data: bytes, start: int) -> None:
        write(self, data[: len(data) // 2], start)
        assert list(folder.iterdir())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", fill)
    return folder


def test_an_upload_to_a_full_disk_says_so_and_leaves_no_file(
    fleet: Any, org: Organization, sign_in: SignIn, full_disk: Path
) -> None:
    client = sign_in("owner")
    client.raise_request_exception = False
    url = org.url("ota/packages/new/")
    file = SimpleUploadedFile("package.bin", b"x" * 100_000)
    response = client.post(url, {"file": file})
    assert response.status_code == 507
    assert "The server has no storage space left" in response.content.decode()
    assert "Ask the administrator" in response.content.decode()
    assert list(full_disk.iterdir()) == []


def test_a_program_learns_that_the_disk_is_full(
    fleet: Any, org: Organization, create_program: CreateProgram, full_disk: Path
) -> None:
    path = "sandbox/registrations/upload"
    response = create_program().upload(path, "devices.csv", b"DeviceName\n" * 10_000, product_key="none")
    assert response.status_code == 507
    assert problem_kind(response) == "storage-full"
    assert list(full_disk.iterdir()) == []
