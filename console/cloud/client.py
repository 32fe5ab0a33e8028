"""The signed API client: one for each cloud account, region and instance, kept and shared by threads."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from console.cloud import paging
from console.cloud.answers import Unreadable, parse_json, parse_xml
from console.cloud.catalogue import Operation, flatten, operation
from console.cloud.errors import (
    BadAnswer,
    InvalidParameter,
    Unavailable,
    error_from,
    error_from_body,
    excerpt,
)
from console.cloud.retry import RetryPolicy
from console.cloud.signing import form_encode, rpc_sign
from console.cloud.trace import Trace
from console.cloud.transport import new_transport, timeouts

API_VERSION = "2018-01-20"
USER_AGENT = "fleetdesk"
LONGEST_QUERY = 8000
"""Characters. A longer query is moved to the form: servers and proxies refuse long addresses, and the platform
merges query and form."""
_ACCEPT = {"JSON": "application/json", "XML": "application/xml"}
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes. No answer of the platform comes near; a wrong address may answer without end."""


@dataclass(frozen=True)
class Credentials:
    """An AccessKey pair, and the security token when it is a temporary one (STS). Its repr shows no secret."""

    key_id: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


class Client:
    """Calls operations for one account, region and instance. Thread-safe; keep it, a new one for each call is slow.

    `endpoint`: host, host:port or http(s) URL, in place of the region's own. `instance_id` is sent as `IotInstanceId`
    with every operation that takes it. `timeout`: seconds to wait for an answer. `transport`: the network, given by tests.
    Raises InvalidParameter when the endpoint is not an address.
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
        self.endpoint = endpoint_of(endpoint, region)
        self.format = format
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts(timeout)
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
        """Close the pooled connections. A transport that was given stays open."""
        if self._own_transport:
            self._transport.close()

    def call(self, name: str, /, trace: Trace | None = None, **params: Any) -> dict[str, Any]:
        """Call an operation; its answer as a dict, whatever the format. Raises the CloudError family.

        Lists are given as `DeviceName=["a", "b"]` and `Tag=[{"Key": "k", "Value": "v"}]`; None is left out.
        `trace` is filled with what was sent and came back, also when this raises; its `format` is used for this call.
        """
        op = operation(name)
        if self.instance_id and "IotInstanceId" in op.parameters and params.get("IotInstanceId") is None:
            params["IotInstanceId"] = self.instance_id
        query, form = flatten(op, params)
        return self._retry.run(lambda: self._attempt(op, query, form, trace), idempotent=op.idempotent)

    def pages(self, name: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The answers of a paged operation, page after page, each call made when its page is asked for.

        Without a page size, the largest is used. Raises as `call` does, and LimitExceeded (`Client.PagingLimit`) when
        there is more than the platform lets anyone page to.
        """
        return self.iterate(name, lambda **page: self.call(name, **page), **params)

    def iterate(
        self, name: str, fetch: Callable[..., dict[str, Any]], /, **params: Any
    ) -> Iterator[dict[str, Any]]:
        """Like `pages`, with every page fetched by `fetch(**params)`."""
        return paging.iterate(operation(name), fetch, params)

    # -- one attempt -------------------------------------------------------------------------------------------------

    def _attempt(
        self, op: Operation, query: Mapping[str, str], form: Mapping[str, str], trace: Trace | None
    ) -> dict[str, Any]:
        """Sign anew and send once: every attempt has its own nonce and time."""
        format = trace.format if trace is not None else self.format
        request = self._request(op, query, form, format, trace)
        started = time.perf_counter()
        try:
            response = self._transport.handle_request(request)
            try:
                body = _read(response, op)
            finally:
                response.close()
            if trace is not None:
                secrets = (self.credentials.secret, self.credentials.security_token or "")
                trace.received(response.status_code, body, secrets)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise Unavailable(
                "Client.Unreachable", str(error) or type(error).__name__, operation=op.name, sent=False
            ) from error
        except httpx.TimeoutException as error:
            raise Unavailable("Client.Timeout", "no answer in time", operation=op.name) from error
        except httpx.DecodingError as error:
            raise BadAnswer("Client.BadAnswer", str(error), operation=op.name) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise Unavailable("Client.Unreachable", str(error), operation=op.name, sent=False) from error
        except httpx.TransportError as error:
            raise Unavailable(
                "Client.Dropped", str(error) or type(error).__name__, operation=op.name
            ) from error
        finally:
            if trace is not None:
                trace.seconds = time.perf_counter() - started
        return self._answer(op, response, body, format)

    def _request(
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
                "Client.Unsendable", "a value holds characters that cannot be sent", operation=op.name
            ) from None
        if len(encoded_query) > LONGEST_QUERY:
            body = f"{encoded_query}&{body}" if body else encoded_query
            encoded_query = ""
            in_query, form = {}, {**in_query, **form}
        address = f"{self.endpoint}/"
        request = httpx.Request(
            "POST",
            f"{address}?{encoded_query}" if encoded_query else address,
            headers={**self._headers, "accept": _ACCEPT[format]},
            content=body.encode("ascii"),
            extensions={"timeout": self._timeouts},
        )
        if trace is not None:
            trace.sent(request.method, address, request.headers.items(), in_query, form)
        return request

    def _answer(self, op: Operation, response: httpx.Response, body: bytes, format: str) -> dict[str, Any]:
        status = response.status_code
        if not 200 <= status < 300:
            raise error_from_body(
                body, operation=op.name, http_status=status, retry_after=_retry_after(response.headers)
            )
        try:
            answer = parse_json(body) if format == "JSON" else parse_xml(op, body)
        except Unreadable as reason:
            # Where secrets are answered, what cannot be read may be one: messages are shown, recorded and logged.
            told = "" if op.secret_fields else excerpt(body)
            message = f"{reason}: {told}" if told else str(reason)
            raise BadAnswer("Client.BadAnswer", message, operation=op.name, http_status=status) from None
        succeeded = answer.get("Success")
        if succeeded is None:
            succeeded = not answer.get("Code")
        if succeeded in (False, "false", "False"):
            raise error_from(
                answer, operation=op.name, http_status=status, retry_after=_retry_after(response.headers)
            )
        return answer


_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ADDRESS = re.compile(
    rf"(?:(https?)://)?({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?/?", re.ASCII | re.I
)
_PORTS = {"http": 80, "https": 443}


def endpoint_of(given: str | None, region: str) -> str:
    """`scheme://host[:port]` in small letters, without the scheme's own port. https where no scheme is given.

    Raises InvalidParameter for all else: a path, a user name, a trailing dot, letters beyond ASCII (a name in another
    script is given as its xn-- form), a port that cannot be.
    """
    endpoint = (given or f"iot.{region}.aliyuncs.com").strip()
    found = _ADDRESS.fullmatch(endpoint)
    if found:
        scheme, host, port = (found[1] or "https").lower(), found[2].lower(), found[3]
        number = int(port) if port else _PORTS[scheme]
        with contextlib.suppress(ValueError):
            if host.startswith("["):
                host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
            if 0 < number <= 65535:
                return f"{scheme}://{host}" + ("" if number == _PORTS[scheme] else f":{number}")
    raise InvalidParameter("Client.InvalidEndpoint", f"{endpoint[:255]!r} is not an endpoint")


def _read(response: httpx.Response, op: Operation) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise BadAnswer(
                "Client.BadAnswer",
                "the answer is far too large",
                operation=op.name,
                http_status=response.status_code,
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds the platform asks to wait: its own header tells milliseconds, the common one seconds."""
    for header, unit in (("x-acs-retry-after", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[header]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
