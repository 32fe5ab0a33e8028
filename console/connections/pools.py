"""Thread pools for parallel calls to the cloud."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

_THREADS = 16
_pools: dict[str, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def pool(name: str = "cloud") -> ThreadPoolExecutor:
    """The pool with that name. Reads that a call depends on use a separate pool: in the same pool, calls and their reads could
    wait for each other forever."""
    with _lock:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix=name)
        return _pools[name]


def _reset_after_fork() -> None:
    """Gives a forked worker new pools: it inherits the pools, but not their threads."""
    global _pools, _lock
    _pools, _lock = {}, threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)
