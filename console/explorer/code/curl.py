"""A shell script with curl. openssl signs the request (ACS3-HMAC-SHA256) with keys from the environment."""

from __future__ import annotations

import shlex

from console.explorer.code.call import KEY_ID, KEY_SECRET, TOKEN, VERSION, CodeCall
from iot_client.client import MAX_QUERY_LENGTH
from iot_client.signing import percent_encode


def write(call: CodeCall) -> str:
    """Return the script. All values are percent-encoded, so that a shell does not interpret them."""
    query, form = (_encode_fields(fields) for fields in call.fields())
    if len(query) > MAX_QUERY_LENGTH:
        query, form = "", "&".join(filter(None, [query, form]))
    # The signed headers, in alphabetical order.
    headers = {"content-type": "application/x-www-form-urlencoded", "host": "$host"}
    headers |= {
        "x-acs-action": call.name,
        "x-acs-content-sha256": "$body_hash",
        "x-acs-date": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
        "x-acs-signature-nonce": "$(openssl rand -hex 16)",
        "x-acs-version": VERSION,
    }
    if call.has_token:
        headers["x-acs-security-token"] = f"${{{TOKEN}}}"
    names = sorted(headers)
    lines = "\n".join(f"{name}:{headers[name]}" for name in names)
    target = f"{call.scheme}://$host/" + ("?$query" if query else "")
    return f"""\
#!/bin/sh
# Needs curl and openssl, and the keys in {KEY_ID} and {KEY_SECRET}.
set -eu

host={shlex.quote(call.host)}
query={shlex.quote(query)}
body={shlex.quote(form)}

sha256() {{ openssl dgst -sha256 -r | cut -d ' ' -f 1; }}

body_hash=$(printf '%s' "$body" | sha256)
headers="{lines}"
signed={shlex.quote(";".join(names))}
request=$(printf 'POST\\n/\\n%s\\n%s\\n\\n%s\\n%s' "$query" "$headers" "$signed" "$body_hash")
to_sign=$(printf 'ACS3-HMAC-SHA256\\n%s' "$(printf '%s' "$request" | sha256)")

# HMAC by its definition, from the secret and a padding byte. The shell itself reads the secret, to keep it out of command
# lines, which other users of this machine can see.
padded() {{
  rest=${KEY_SECRET} count=0
  while [ $count -lt 64 ]; do
    byte=0
    if [ -n "$rest" ]; then
      byte=$(printf '%d' "'${{rest%"${{rest#?}}"}}")
      rest=${{rest#?}}
    fi
    printf "\\\\$(printf '%03o' $((byte ^ $1)))"
    count=$((count + 1))
  done
}}
signature=$({{ padded 92; {{ padded 54; printf '%s' "$to_sign"; }} | openssl dgst -sha256 -binary; }} | sha256)

printf '%s\\n' "$headers" | curl --silent --show-error --request POST "{target}" \\
  --header @- --header 'accept: application/json' \\
  --header "Authorization: ACS3-HMAC-SHA256 Credential=${KEY_ID},SignedHeaders=$signed,Signature=$signature" \\
  --data-raw "$body"
"""


def _encode_fields(fields: dict[str, str]) -> str:
    return "&".join(
        f"{percent_encode(name)}={percent_encode(value)}" for name, value in sorted(fields.items())
    )
