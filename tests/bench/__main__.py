"""`make bench`: every benchmark as a table, or those named: `python -m tests.bench register pages`."""

import sys

from tests.bench import client, emulator, fuzz, pages, register

BENCHMARKS = {"register": register, "pages": pages, "client": client, "emulator": emulator, "fuzz": fuzz}

for name in sys.argv[1:] or BENCHMARKS:
    print(f"\n== {name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)  # noqa: T201
    print("\n".join(BENCHMARKS[name].run()), flush=True)  # noqa: T201
