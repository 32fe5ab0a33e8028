"""A real Redis-compatible server for the tests of the quota, on its own socket, and a certificate for servers with TLS."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from console.embedded import redis_command, redis_socket


@pytest.fixture(scope="module")
def quota_server() -> Iterator[Path]:
    """The folder of a running embedded server."""
    with tempfile.TemporaryDirectory(prefix="quota-") as name:
        folder = Path(name)
        process = subprocess.Popen(redis_command(folder), stdout=subprocess.DEVNULL)
        connection = redis.Redis.from_url(f"unix://{redis_socket(folder)}?db=0")
        try:
            for _ in range(500):
                try:
                    connection.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
            yield folder
        finally:
            connection.close()
            process.terminate()
            process.wait(10)


@pytest.fixture
def quota_redis(quota_server: Path) -> Iterator[redis.Redis]:
    """A connection to an empty database of the server."""
    connection = redis.Redis.from_url(f"unix://{redis_socket(quota_server)}?db=0")
    connection.flushdb()
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for this machine's address and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
