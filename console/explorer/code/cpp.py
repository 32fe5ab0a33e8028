"""C++, with the core of the official SDK: its CommonRequest takes any operation."""

from __future__ import annotations

from console.explorer.code.call import (
    BACKSLASHED,
    KEY_ID,
    KEY_SECRET,
    TOKEN,
    VERSION,
    CodeCall,
    quoted,
)


def write(call: CodeCall) -> str:
    """A program that prints the answer. A CommonRequest sends every parameter in the query, which the platform takes."""
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
        f"  ClientConfiguration configuration({text(call.region)});",
        f"  {credentials}",
        *([f'  credentials.setSessionToken(std::getenv("{TOKEN}"));'] if call.token else []),
        "  CommonClient client(credentials, configuration);",
        "",
        "  CommonRequest request(CommonRequest::RequestPattern::RpcPattern);",
        f"  request.setDomain({text(call.host)});",
        *(['  request.setScheme("http");'] if call.scheme == "http" else []),
        f'  request.setVersion("{VERSION}");',
        "  request.setHttpMethod(HttpRequest::Method::Post);",
        f'  request.setQueryParameter("Action", "{call.name}");',
        *(f"  request.setQueryParameter({text(k)}, {text(v)});" for k, v in (query | form).items()),
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


def text(value: str) -> str:
    """A text as a literal: UTF-8, what does not print in octal, and no two question marks, which older compilers read."""
    written = quoted(value, BACKSLASHED, lambda c: "".join(f"\\{byte:03o}" for byte in c.encode()))
    return written.replace("??", "?\\?")
