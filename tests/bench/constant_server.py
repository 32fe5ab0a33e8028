"""A server that returns the same response to every request, as fast as Python can: `python -m tests.bench.constant_server`
prints its port.

It only reads where a request ends, so that a benchmark measures the work of the client.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DEVICES = [
    {
        "DeviceId": f"Q7uOhVRdZRRlDnTLv{n:03}",
        "DeviceName": f"meter-{n:05}",
        "DeviceSecret": "0123456789abcdef0123456789abcdef",
        "DeviceStatus": "ONLINE",
        "GmtCreate": "Mon, 21-Sep-2026 14:13:20 GMT",
        "GmtModified": "Mon, 21-Sep-2026 14:13:20 GMT",
        "IotId": f"Q7uOhVRdZRRlDnTLv{n:03}000100",
        "Nickname": "Keller",
        "ProductKey": "a1BwAGV0000",
        "UtcCreate": "2026-09-21T14:13:20.000Z",
        "UtcModified": "2026-09-21T14:13:20.000Z",
    }
    for n in range(10)
]
BODY = json.dumps(
    {
        "RequestId": "E55E50B7-40EE-4B6B-8BBE-D3ED55CCF565",
        "Success": True,
        "Data": {"DeviceInfo": DEVICES},
        "NextToken": "TGlzdFJlc291",
        "Page": 1,
        "PageSize": 10,
        "PageCount": 100,
        "Total": 1000,
    }
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
    % (len(BODY), BODY)
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.seen = b""

    def data_received(self, data: bytes) -> None:
        self.seen += data
        while (end := self.seen.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.seen, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.seen) < whole:
                return
            self.seen = self.seen[whole:]
            self.transport.write(RESPONSE)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


@contextmanager
def constant_server() -> Iterator[str]:
    """Runs the server in a separate process and yields `host:port`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.constant_server"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve())
