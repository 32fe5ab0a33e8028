"""Threads that call the cloud while another waits for all their answers."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

_THREADS = 16
_pools: dict[str, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def pool(name: str = "cloud") -> ThreadPoolExecutor:
    """The threads of that name. What a call looks up has threads of its own: it would wait for those that wait for it."""
    with _lock:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix=name)
        return _pools[name]


def _forget() -> None:
    """A forked worker inherits the pools but none of their threads: it makes its own."""
    global _pools, _lock
    _pools, _lock = {}, threading.Lock()


os.register_at_fork(after_in_child=_forget)
