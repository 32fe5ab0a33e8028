"""The emulator's memory: one SQLite file in WAL mode, a connection for each thread, one writer at a time."""

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
    """Opens (or makes) the file at `path` and keeps its schema.

    A file made by another schema is moved aside as `<name>.old`, not read: a sandbox that starts is worth more than
    its old content. Safe to use from many threads of one process; the file outlives the process.
    """

    def __init__(self, path: str | Path, schemas: Sequence[str]) -> None:
        self.path = Path(path)
        self._schema = "\n".join(schemas)
        self._mark = zlib.crc32(self._schema.encode()) & 0x7FFFFFFF
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.RLock()
        self.writes = 0  # committed writes so far; lets the emulator know that what is due may have changed
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._move_strange_file_aside()
        self._apply_schema()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened on first use."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._open()
            self._local.db = db
            with self._lock:
                self._all.append(db)
        return db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A snapshot: all statements inside see the same state. Do not write in it."""
        db = self.connection()
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end, rolled back if anything is raised.

        Writers queue on a lock of ours, because SQLite's own waiting is by sleeping and is not fair.
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
        """Forget everything."""
        db = self.connection()
        with self._lock:
            # A table cannot be dropped while another refers to it, so the references are let alone meanwhile.
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
        """Close every thread's connection; who goes on using the store gets a new one."""
        with self._lock:
            for db in self._all:
                db.close()
            self._all.clear()
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
            db.executescript(f"BEGIN IMMEDIATE; {self._schema}; PRAGMA user_version = {self._mark}; COMMIT;")
            self.writes += 1

    def _move_strange_file_aside(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        db = sqlite3.connect(self.path)
        try:
            mark = int(db.execute("PRAGMA user_version").fetchone()[0])
            empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        except sqlite3.DatabaseError:
            mark, empty = -1, False
        finally:
            db.close()
        if empty or mark == self._mark:
            return
        aside = self.path.with_name(self.path.name + ".old")
        log.warning("%s was made by another version of the emulator; moved to %s", self.path, aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(aside)
