"""C++, with the core of the official SDK: its CommonRequest takes any operation."""

from __future__ import annotations

from console.explorer.code.call import (
    BACKSLASH_ESCAPES,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    quote_literal,
)


def write(call: CodeCall) -> str:
    """Return a program that prints the response. A CommonRequest sends all parameters in the query; the platform accepts this."""
    query, form = call.fields()
    credentials = f'Credentials credentials(std::getenv("{KEY_ID}"), std::getenv("{KEY_SECRET}"));'
    lines = [
        "// https://github.com/aliyun/aliyun-openapi-cpp-sdk, built with `./easyinstall.sh core`",
        "#include <cstdlib>",
        "#include <iostream>",
        "#include <alibabacloud/core/AlibabaCloud.h>",
        "#include <alibabacloud/core/CommonClient.h>",
        "",
        "using namespace AlibabaCloud;",
        "",
        "int main() {",
        "  InitializeSdk();",
        f"  ClientConfiguration configuration({literal(call.region)});",
        f"  {credentials}",
        *([f'  credentials.setSessionToken(std::getenv("{TOKEN}"));'] if call.has_token else []),
        "  CommonClient client(credentials, configuration);",
        "",
        "  CommonRequest request(CommonRequest::RequestPattern::RpcPattern);",
        f"  request.setDomain({literal(call.host)});",
        *(['  request.setScheme("http");'] if call.scheme == "http" else []),
        f'  request.setVersion("{VERSION}");',
        "  request.setHttpMethod(HttpRequest::Method::Post);",
        f'  request.setQueryParameter("Action", "{call.name}");',
        *(f"  request.setQueryParameter({literal(k)}, {literal(v)});" for k, v in (query | form).items()),
        "",
        "  auto outcome = client.commonResponse(request);",
        "  if (outcome.isSuccess()) {",
        "    std::cout << outcome.result().payload() << std::endl;",
        "  } else {",
        '    std::cerr << outcome.error().errorCode() << ": " << outcome.error().errorMessage() << std::endl;',
        "  }",
        "  ShutdownSdk();",
        "  return outcome.isSuccess() ? 0 : 1;",
        "}",
        "",
    ]
    return "\n".join(lines)


def literal(value: str) -> str:
    """Return a text as a literal: UTF-8, unprintable characters in octal, no `??`, which older compilers read as a trigraph."""
    escaped = quote_literal(
        value, BACKSLASH_ESCAPES, lambda c: "".join(f"\\{byte:03o}" for byte in c.encode())
    )
    return escaped.replace("??", "?\\?")
