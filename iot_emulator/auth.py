"""Authenticates requests: both signature schemes, the clock window and the nonces."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from iot_client import signing
from iot_emulator.clock import Clock
from iot_emulator.errors import GatewayError
from iot_emulator.wire import Request

_RPC_PARAMETERS = (
    "Action", "Version", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "SignatureNonce",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller, and the action and API version of the request."""

    key_id: str
    account: str
    action: str
    version: str


class Authenticator:
    """Checks requests against the known keys.

    `window` is the allowed difference in seconds between a request's timestamp and the clock, in either direction.
    A nonce is remembered for each key as long as a request with this nonce can still be inside the window.
    """

    def __init__(
        self, keys: Mapping[str, str], accounts: Mapping[str, str], clock: Clock, window: int = 15 * 60
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._clock = clock
        self._window = window * 1000
        self._lock = threading.Lock()
        self._nonces: dict[tuple[str, str], int] = {}
        self._swept = clock.now()

    def identify(self, request: Request) -> Identity:
        """Return the caller. Raises GatewayError with the platform's code for a request that is not correctly signed."""
        authorization = request.headers.get("authorization", "")
        if authorization.startswith(signing.ACS3_ALGORITHM):
            return self._identify_acs3(request, authorization)
        return self._identify_rpc(request)

    def _identify_rpc(self, request: Request) -> Identity:
        params = request.params
        for name in _RPC_PARAMETERS:
            if not params.get(name):
                raise _missing_parameter(name)
        if params["SignatureMethod"] != "HMAC-SHA1":
            raise GatewayError("InvalidSignatureMethod", "SignatureMethod must be HMAC-SHA1.", 400)
        if params["SignatureVersion"] != "1.0":
            raise GatewayError("InvalidSignatureVersion", "SignatureVersion must be 1.0.", 400)
        key_id = params["AccessKeyId"]
        string_to_sign = signing.rpc_string_to_sign(request.method, params)
        signature = signing.rpc_signature(string_to_sign, self._secret(key_id))
        if not hmac.compare_digest(signature.encode(), params["Signature"].encode()):
            raise _signature_mismatch(string_to_sign)
        self._check_time(params["Timestamp"])
        self._use_nonce(key_id, params["SignatureNonce"])
        return Identity(key_id, self._accounts[key_id], params["Action"], params["Version"])

    def _identify_acs3(self, request: Request, header: str) -> Identity:
        headers = request.headers
        try:
            authorization = signing.parse_acs3_authorization(header)
        except ValueError:
            raise GatewayError(
                "IncompleteSignature", "The Authorization header cannot be read.", 400
            ) from None
        for name in ("x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"):
            if not headers.get(name):
                raise _missing_parameter(name)
        secret = self._secret(authorization.key_id)
        body_hash = hashlib.sha256(request.body).hexdigest()
        canonical = signing.acs3_canonical_request(
            request.method, request.path, request.query, headers, authorization.signed_headers, body_hash
        )
        signature = signing.acs3_signature(canonical, secret)
        # The hash header is not used for the signature, but it must be correct: the platform refuses a wrong one.
        header_hash = headers.get("x-acs-content-sha256", body_hash)
        if header_hash != body_hash or not hmac.compare_digest(
            signature.encode(), authorization.signature.encode()
        ):
            raise _signature_mismatch(signing.acs3_string_to_sign(canonical))
        self._check_time(headers["x-acs-date"])
        self._use_nonce(authorization.key_id, headers["x-acs-signature-nonce"])
        return Identity(
            authorization.key_id,
            self._accounts[authorization.key_id],
            headers["x-acs-action"],
            headers["x-acs-version"],
        )

    def _secret(self, key_id: str) -> str:
        secret = self._keys.get(key_id)
        if secret is None:
            raise GatewayError("InvalidAccessKeyId.NotFound", "The AccessKey ID does not exist.", 404)
        return secret

    def _check_time(self, stamp: str) -> None:
        try:
            sent = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise GatewayError(
                "InvalidTimeStamp.Format", "Write the timestamp as YYYY-MM-DDThh:mm:ssZ, in UTC.", 400
            ) from None
        if abs(self._clock.now() - int(sent.timestamp() * 1000)) > self._window:
            raise GatewayError(
                "InvalidTimeStamp.Expired",
                "The timestamp differs too much from the current time. Check the clock of the client.",
                400,
            )

    def _use_nonce(self, key_id: str, nonce: str) -> None:
        now = self._clock.now()
        # A request whose timestamp lies a full window in the future stays valid for two windows.
        until = now + 2 * self._window + 1000
        with self._lock:
            if now - self._swept > self._window:
                self._nonces = {key: end for key, end in self._nonces.items() if end > now}
                self._swept = now
            if self._nonces.get((key_id, nonce), 0) > now:
                raise GatewayError(
                    "SignatureNonceUsed", "The signature nonce was used before. Send a new one.", 400
                )
            self._nonces[key_id, nonce] = until


def _missing_parameter(name: str) -> GatewayError:
    return GatewayError("MissingParameter", f'The parameter "{name}" is required.', 400)


def _signature_mismatch(string_to_sign: str) -> GatewayError:
    # The vendor's original SDK compares the text after this exact sentence with its own string to sign.
    return GatewayError(
        "SignatureDoesNotMatch",
        f"Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}",
        400,
    )
