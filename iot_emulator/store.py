"""The emulator's database: one SQLite file in WAL mode, one connection per thread, one writer at a time."""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


class Store:
    """Opens or creates the file at `path` with the given schema.

    A file with another schema is not read but renamed to `<name>.old`, so that the emulator can always start. Safe to
    use from several threads of one process.
    """

    def __init__(self, path: str | Path, schemas: Sequence[str]) -> None:
        self.path = Path(path)
        self._schema = "\n".join(schemas)
        self._schema_version = zlib.crc32(self._schema.encode()) & 0x7FFFFFFF
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.RLock()
        self.writes = 0  # committed writes; after a write, the time of the next due work may have changed
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rename_incompatible_file()
        if self.connection().execute("PRAGMA user_version").fetchone()[0] != self._schema_version:
            self._apply_schema()

    def connection(self) -> sqlite3.Connection:
        """Return the connection of this thread, opened on first use."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._open()
            self._local.db = db
            with self._lock:
                self._connections.append(db)
        return db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a read transaction: all statements see the same state. Do not write in it."""
        db = self.connection()
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a write transaction: committed at the end, rolled back after an exception.

        Writers wait for a lock of this class, because SQLite's busy handler sleeps and is not fair.
        """
        db = self.connection()
        with self._lock:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            self.writes += 1

    def reset(self) -> None:
        """Delete all data."""
        db = self.connection()
        with self._lock:
            # A table cannot be dropped while another table refers to it, so foreign keys are switched off.
            db.execute("PRAGMA foreign_keys = OFF")
            try:
                with self.write():
                    for (name,) in db.execute(
                        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    ).fetchall():
                        db.execute(f'DROP TABLE "{name}"')
                self._apply_schema()
            finally:
                db.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close the connections of all threads. The next use of the store opens a new one."""
        with self._lock:
            for db in self._connections:
                db.close()
            self._connections.clear()
            self._local = threading.local()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        db.row_factory = sqlite3.Row
        db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
            "PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 30000;"
        )
        return db

    def _apply_schema(self) -> None:
        with self._lock:
            db = self.connection()
            db.executescript(
                f"BEGIN IMMEDIATE; {self._schema}; PRAGMA user_version = {self._schema_version}; COMMIT;"
            )
            self.writes += 1

    def _rename_incompatible_file(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open("rb") as file:
            header = file.read(64)
        # Bytes 60 to 63 are the user_version (SQLite's file format), unless a newer one is in the write-ahead log.
        if header.startswith(b"SQLite format 3\0") and header[60:] == self._schema_version.to_bytes(4, "big"):
            return
        db = sqlite3.connect(self.path)
        try:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            is_empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        except sqlite3.DatabaseError:
            version, is_empty = -1, False
        finally:
            db.close()
        if is_empty or version == self._schema_version:
            return
        new_path = self.path.with_name(self.path.name + ".old")
        log.warning("%s was created by another version of the emulator. Renamed to %s.", self.path, new_path)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(new_path)
