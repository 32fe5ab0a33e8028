"""Functions that run at the same time, each in a thread with its own database connection."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

WAIT = 30  # seconds


def run_at_once(*functions):
    """Run all functions at the same time, each with its own database connection. Returns their results."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        try:
            barrier.wait(WAIT)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(WAIT) for future in [pool.submit(run, function) for function in functions]]
