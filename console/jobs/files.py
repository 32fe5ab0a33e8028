"""Uploaded files, stored in parts in the database, so that workers on all machines can read them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable

from console.jobs.models import Job, Part

PIECE = 512 * 1024


def store(job: Job, content: Iterable[bytes]) -> None:
    """Store a file for `job`, and its size and digest in the job."""
    size = number = 0
    digest = hashlib.sha256()
    buffer = bytearray()

    def flush() -> None:
        nonlocal number
        Part.objects.create(job=job, number=number, content=bytes(buffer))
        number += 1
        buffer.clear()

    for piece in content:
        size += len(piece)
        digest.update(piece)
        buffer += piece
        if len(buffer) >= PIECE:
            flush()
    if buffer:
        flush()
    job.file_size, job.file_digest = size, digest.hexdigest()
    job.save(update_fields=["file_size", "file_digest"])


def open_file(job: Job) -> io.BufferedReader:
    """Return the job's file as a binary stream that keeps one part at a time in memory."""
    return io.BufferedReader(_Pieces(job.pk), 64 * 1024)


class _Pieces(io.RawIOBase):
    def __init__(self, job: int) -> None:
        self._job, self._number = job, 0
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        if not self._piece:
            row = (
                Part.objects.filter(job=self._job, number=self._number)
                .values_list("content", flat=True)
                .first()
            )
            if row is None:
                return 0
            self._piece = memoryview(bytes(row))
            self._number += 1
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count
