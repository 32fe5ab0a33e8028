"""Thread pools for parallel calls to the cloud."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

_AT_ONCE = 16
"""The calls of one request that are made at the same time."""
_THREADS = 256
"""Enough for all requests that may wait at the same time, so that those of a slow connection delay no other. Started when needed."""
Result = TypeVar("Result")
_pools: dict[str, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def pool(name: str = "cloud") -> ThreadPoolExecutor:
    """The pool with that name. Reads that a call depends on use a separate pool: in the same pool, calls and their reads could
    wait for each other forever."""
    with _lock:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix=name)
        return _pools[name]


def run_in_parallel(functions: Sequence[Callable[[], Result]], name: str = "cloud") -> list[Result]:
    """Run functions in the threads of a pool; a single one in this thread. Returns their results in order."""
    if len(functions) == 1:
        return [functions[0]()]
    results: list[Result] = []
    for start in range(0, len(functions), _AT_ONCE):
        some = functions[start : start + _AT_ONCE]
        futures = [pool(name).submit(copy_context().run, function) for function in some]
        results += [future.result() for future in futures]
    return results


def _reset_after_fork() -> None:
    """Gives a forked worker new pools: it inherits the pools, but not their threads."""
    global _pools, _lock
    _pools, _lock = {}, threading.Lock()


os.register_at_fork(after_in_child=_reset_after_fork)
