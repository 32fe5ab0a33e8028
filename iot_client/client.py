"""The signed API client: one for each cloud account, region and instance. It is reused and shared by threads."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from iot_client import paging
from iot_client.catalogue import Operation, flatten, operation
from iot_client.errors import (
    BadResponse,
    InvalidParameter,
    Unavailable,
    error_from_body,
    error_from_fields,
    excerpt,
)
from iot_client.responses import UnreadableResponse, parse_json, parse_xml
from iot_client.retry import RetryPolicy
from iot_client.signing import form_encode, rpc_sign
from iot_client.trace import Trace
from iot_client.transport import build_timeouts, new_transport, read_body

API_VERSION = "2018-01-20"
USER_AGENT = "fleetdesk"
MAX_QUERY_LENGTH = 8000
"""Characters. A longer query is sent in the form: servers and proxies reject long addresses, and the platform merges
query and form."""
_ACCEPT = {"JSON": "application/json", "XML": "application/xml"}
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""No response of the platform is nearly as large. A wrong address can send data without end."""


@dataclass(frozen=True)
class Credentials:
    """An AccessKey pair, with its security token if it is temporary (STS). Its repr shows no secret."""

    key_id: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


class Client:
    """Calls operations for one account, region and instance. Thread-safe. Reuse it: creating one for each call is slow.

    `endpoint`: host, host:port or http(s) URL, instead of the default endpoint of the region. `instance_id` is sent as
    `IotInstanceId` with each operation that has this parameter. `timeout`: seconds for one attempt, from
    connecting to the last byte of the response; retries are started within the budget of `retry` only, so no call takes longer
    than both together. `transport`: the network, replaced in tests. Raises InvalidParameter if the endpoint is not valid.
    """

    def __init__(
        self,
        credentials: Credentials,
        region: str = "cn-shanghai",
        instance_id: str | None = None,
        endpoint: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 15.0,
        retry: RetryPolicy | None = None,
        format: Literal["JSON", "XML"] = "JSON",
    ) -> None:
        self.credentials = credentials
        self.region = region
        self.instance_id = instance_id
        self.endpoint = normalize_endpoint(endpoint, region)
        self.format = format
        self._retry = retry or RetryPolicy()
        self._timeout = timeout
        self._own_transport = transport is None
        self._transport = transport or new_transport(self.endpoint)
        self._headers = {
            "host": httpx.URL(self.endpoint).netloc.decode("ascii"),
            "user-agent": USER_AGENT,
            "accept-encoding": "gzip",
            "content-type": "application/x-www-form-urlencoded",
        }

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections. A transport passed to the constructor stays open."""
        if self._own_transport:
            self._transport.close()

    def call(self, name: str, /, trace: Trace | None = None, **params: Any) -> dict[str, Any]:
        """Call an operation. Returns its response as a dict, in either format. Raises the CloudError family.

        Lists are passed as `DeviceName=["a", "b"]` and `Tag=[{"Key": "k", "Value": "v"}]`. None is omitted.
        `trace` records the request and the response, also if this raises. Its `format` is used for this call.
        """
        op = operation(name)
        if self.instance_id and "IotInstanceId" in op.parameters and params.get("IotInstanceId") is None:
            params["IotInstanceId"] = self.instance_id
        query, form = flatten(op, params)
        return self._retry.run(lambda: self._attempt(op, query, form, trace), idempotent=op.idempotent)

    def pages(self, name: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The responses of a paged operation, page by page. Each call is made when its page is requested.

        Without a page size, the largest is used. Raises like `call`, and LimitExceeded (`Client.PagingLimit`) if the list
        has more entries than the platform can return in pages.
        """
        pages = paging.read_pages(operation(name), lambda **page: self.call(name, **page), params)
        return (page.content for page in pages)

    # -- one attempt -------------------------------------------------------------------------------------------------

    def _attempt(
        self, op: Operation, query: Mapping[str, str], form: Mapping[str, str], trace: Trace | None
    ) -> dict[str, Any]:
        """Sign and send the request once. Each attempt has its own nonce and time."""
        format = trace.format if trace is not None else self.format
        request = self._build_request(op, query, form, format, trace)
        started = time.perf_counter()
        try:
            response = self._transport.handle_request(request)
            try:
                body = read_body(response, MAX_RESPONSE_BYTES + 1)
            finally:
                response.close()
            if trace is not None:
                secrets = (self.credentials.secret, self.credentials.security_token or "")
                trace.record_response(response.status_code, body, secrets)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise Unavailable(
                "Client.Unreachable", str(error) or type(error).__name__, operation=op.name, sent=False
            ) from error
        except httpx.TimeoutException as error:
            raise Unavailable("Client.Timeout", "no response in time", operation=op.name) from error
        except httpx.DecodingError as error:
            raise BadResponse("Client.BadResponse", str(error), operation=op.name) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise Unavailable("Client.Unreachable", str(error), operation=op.name, sent=False) from error
        except httpx.TransportError as error:
            raise Unavailable(
                "Client.Dropped", str(error) or type(error).__name__, operation=op.name
            ) from error
        finally:
            if trace is not None:
                trace.seconds = time.perf_counter() - started
        if len(body) > MAX_RESPONSE_BYTES:
            raise BadResponse(
                "Client.BadResponse",
                "the response is too large",
                operation=op.name,
                http_status=response.status_code,
            )
        return self._parse_response(op, response, body, format)

    def _build_request(
        self,
        op: Operation,
        query: Mapping[str, str],
        form: Mapping[str, str],
        format: str,
        trace: Trace | None,
    ) -> httpx.Request:
        common = {
            "Action": op.name,
            "Version": API_VERSION,
            "Format": format,
            "AccessKeyId": self.credentials.key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "RegionId": self.region,
        }
        if self.credentials.security_token:
            common["SecurityToken"] = self.credentials.security_token
        in_query = common | dict(query)
        try:
            in_query["Signature"] = rpc_sign("POST", {**in_query, **form}, self.credentials.secret)
            encoded_query, body = form_encode(in_query), form_encode(form)
        except UnicodeEncodeError:
            raise InvalidParameter(
                "Client.Unsendable", "a value contains characters that cannot be sent", operation=op.name
            ) from None
        if len(encoded_query) > MAX_QUERY_LENGTH:
            body = f"{encoded_query}&{body}" if body else encoded_query
            encoded_query = ""
            in_query, form = {}, {**in_query, **form}
        address = f"{self.endpoint}/"
        request = httpx.Request(
            "POST",
            f"{address}?{encoded_query}" if encoded_query else address,
            headers={**self._headers, "accept": _ACCEPT[format]},
            content=body.encode("ascii"),
            extensions={"timeout": build_timeouts(self._timeout)},
        )
        if trace is not None:
            trace.record_request(request.method, address, request.headers.items(), in_query, form)
        return request

    def _parse_response(
        self, op: Operation, response: httpx.Response, body: bytes, format: str
    ) -> dict[str, Any]:
        status = response.status_code
        if not 200 <= status < 300:
            raise error_from_body(
                body, operation=op.name, http_status=status, retry_after=_retry_after(response.headers)
            )
        try:
            fields = parse_json(body) if format == "JSON" else parse_xml(op, body)
        except UnreadableResponse as reason:
            # An unreadable response of an operation that returns secrets may contain one. Messages are shown, recorded, logged.
            body_start = "" if op.secret_fields else excerpt(body)
            message = f"{reason}: {body_start}" if body_start else str(reason)
            raise BadResponse("Client.BadResponse", message, operation=op.name, http_status=status) from None
        succeeded = fields.get("Success")
        if succeeded is None:
            succeeded = not fields.get("Code")
        if succeeded in (False, "false", "False"):
            raise error_from_fields(
                fields, operation=op.name, http_status=status, retry_after=_retry_after(response.headers)
            )
        return fields


_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ADDRESS = re.compile(
    rf"(?:(https?)://)?({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?/?", re.ASCII | re.I
)
_PORTS = {"http": 80, "https": 443}


def normalize_endpoint(endpoint: str | None, region: str) -> str:
    """The endpoint as `scheme://host[:port]` in lower case, without the default port of the scheme. The default scheme is https.

    Without an endpoint, the default endpoint of the region is used. Raises InvalidParameter for anything else: a path, a user
    name, a trailing dot, non-ASCII letters (use the xn-- form of such a name), an invalid port.
    """
    address = (endpoint or f"iot.{region}.aliyuncs.com").strip()
    match = _ADDRESS.fullmatch(address)
    if match:
        scheme, host, port = (match[1] or "https").lower(), match[2].lower(), match[3]
        number = int(port) if port else _PORTS[scheme]
        with contextlib.suppress(ValueError):
            if host.startswith("["):
                host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
            if 0 < number <= 65535:
                return f"{scheme}://{host}" + ("" if number == _PORTS[scheme] else f":{number}")
    raise InvalidParameter("Client.InvalidEndpoint", f"{address[:255]!r} is not an endpoint")


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the platform asks the client to wait. Its own header has milliseconds, the standard header has seconds."""
    for header, unit in (("x-acs-retry-after", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[header]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
