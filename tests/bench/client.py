"""Calls per second of our client, the official SDK and plain httpx.Client against one server with a constant response."""

from __future__ import annotations

import socket
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from urllib.parse import quote

import httpx
from alibabacloud_iot20180120.client import Client as Sdk
from alibabacloud_iot20180120.models import QueryDeviceRequest
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

from iot_client.client import Client, Credentials
from iot_client.signing import rpc_sign
from tests.bench.constant_server import constant_server

ROUNDS = 9
SECONDS = 1.0  # of each contestant in each round
THREADS = (1, 16)
KEY = Credentials("LTAIbench", "secret-of-no-worth")
OURS, THEIRS = "our client", "official SDK"
Call = Callable[[], int]


def run() -> list[str]:
    """The lines of the table. The clients take turns, so that other load on the machine affects all of them."""
    lines = [
        f"QueryDevice, 10 devices per response; medians of {ROUNDS} rounds of {SECONDS:.0f} s, clients taking turns"
    ]
    with constant_server() as address:
        calls = build_calls(address)
        for threads in THREADS:
            rates: dict[str, list[float]] = {name: [] for name in calls}
            for call in calls.values():
                call()
            for _ in range(ROUNDS):
                for name, call in calls.items():
                    rates[name].append(_measure_rate(call, threads))
            lines += _table_lines(rates, threads)
        floor = statistics.median(_measure_rate(_bare_socket_call(address), 1) for _ in range(3))
        lines.append(f"the server itself handles {floor:,.0f} calls per second from a bare socket")
    return lines


def build_calls(address: str) -> dict[str, Call]:
    """Functions that make one call and return the number of devices."""
    ours = Client(KEY, endpoint=f"http://{address}")

    def official(scheme: str | None) -> Call:
        config = Config(
            access_key_id=KEY.key_id, access_key_secret=KEY.secret, protocol="http", endpoint=address
        )
        config.signature_algorithm = scheme
        client, runtime = Sdk(config), RuntimeOptions()

        def call() -> int:
            request = QueryDeviceRequest(product_key="a1BwAGV0000", page_size=10, current_page=1)
            return len(client.query_device_with_options(request, runtime).body.data.device_info)

        return call

    plain = httpx.Client(
        trust_env=False, limits=httpx.Limits(max_connections=64, max_keepalive_connections=32)
    )

    def by_hand() -> int:
        fields = {
            "Action": "QueryDevice",
            "Version": "2018-01-20",
            "Format": "JSON",
            "AccessKeyId": KEY.key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "RegionId": "cn-shanghai",
            "ProductKey": "a1BwAGV0000",
            "PageSize": "10",
            "CurrentPage": "1",
        }
        signature = rpc_sign("POST", fields, KEY.secret)
        query = "&".join(
            f"{name}={quote(value, safe='')}" for name, value in {**fields, "Signature": signature}.items()
        )
        return len(plain.post(f"http://{address}/?{query}").json()["Data"]["DeviceInfo"])

    def our_client() -> int:
        response = ours.call("QueryDevice", ProductKey="a1BwAGV0000", PageSize=10, CurrentPage=1)
        return len(response["Data"]["DeviceInfo"])

    return {
        OURS: our_client,
        THEIRS: official(None),
        f"{THEIRS}, v2": official("v2"),
        "httpx.Client": by_hand,
    }


def _measure_rate(call: Call, threads: int) -> float:
    """Calls per second."""
    counts = [0] * threads
    started = time.perf_counter()
    end = started + SECONDS

    def work(number: int) -> None:
        while time.perf_counter() < end:
            assert call() == 10
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - started)


def _table_lines(rates: dict[str, list[float]], threads: int) -> list[str]:
    middle = {name: statistics.median(found) for name, found in rates.items()}
    lines = [
        f"{'one after another' if threads == 1 else f'{threads} threads':<24}{'calls/s':>10}{'range':>16}{'against SDK':>14}"
    ]
    for name, found in rates.items():
        spread = f"{min(found):,.0f}-{max(found):,.0f}"
        # Rounds are compared with the neighboring rounds, so that a slow second does not count for one side only.
        ratio = statistics.median(ours / theirs for ours, theirs in zip(found, rates[THEIRS], strict=True))
        lines.append(f"  {name:<22}{middle[name]:>10,.0f}{spread:>16}{ratio:>13.2f}x")
    return lines


def _bare_socket_call(address: str) -> Call:
    host, _, port = address.partition(":")
    connection = socket.create_connection((host, int(port)))

    def call() -> int:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        while not connection.recv(65_536).endswith(b"}"):
            pass
        return 10

    return call
