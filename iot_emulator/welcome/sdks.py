"""Example programs that use the emulator with the official SDKs, for the welcome page and docs/emulator.md.

Keys are read from the environment, because everybody can see the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8601"


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK: its name, the anchor on the page, the install command, the language, and an example program."""

    name: str
    anchor: str
    install: str
    language: str
    program: str

    def code(self, url: str = DEFAULT_URL) -> str:
        """Return the program, which lists the products, for an emulator at `url`."""
        parts = urlsplit(url)
        return Template(self.program).safe_substitute(host=parts.netloc, protocol=parts.scheme)


SDKS = (
    Sdk(
        "Python",
        "python",
        "pip install alibabacloud-iot20180120",
        "python",
        """\
import os

from alibabacloud_iot20180120.client import Client
from alibabacloud_iot20180120.models import QueryProductListRequest
from alibabacloud_tea_openapi.models import Config

config = Config(
    access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
    access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    endpoint="$host",
    protocol="$protocol",
)
response = Client(config).query_product_list(QueryProductListRequest(current_page=1, page_size=10)).body
for product in response.data.list.product_info:
    print(product.product_key, product.product_name, product.device_count)
""",
    ),
    Sdk(
        "Python, original SDK",
        "python-original",
        "pip install aliyun-python-sdk-core aliyun-python-sdk-iot",
        "python",
        """\
import json
import os

from aliyunsdkcore.client import AcsClient
from aliyunsdkiot.request.v20180120.QueryProductListRequest import QueryProductListRequest

client = AcsClient(
    os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
    os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    "cn-shanghai",
)
client.add_endpoint("cn-shanghai", "Iot", "$host")
request = QueryProductListRequest()
request.set_protocol_type("$protocol")
request.set_accept_format("json")
request.set_CurrentPage(1)
request.set_PageSize(10)
response = json.loads(client.do_action_with_exception(request))
for product in response["Data"]["List"]["ProductInfo"]:
    print(product["ProductKey"], product["ProductName"], product["DeviceCount"])
""",
    ),
    Sdk(
        "Node.js",
        "node",
        "npm install @alicloud/iot20180120 @alicloud/openapi-client",
        "javascript",
        """\
const { default: Iot, QueryProductListRequest } = require("@alicloud/iot20180120");
const { Config } = require("@alicloud/openapi-client");

const config = new Config({
  accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
  accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  endpoint: "$host",
  protocol: "$protocol",
});
new Iot(config)
  .queryProductList(new QueryProductListRequest({ currentPage: 1, pageSize: 10 }))
  .then(({ body }) => {
    for (const product of body.data.list.productInfo) {
      console.log(product.productKey, product.productName, product.deviceCount);
    }
  });
""",
    ),
    Sdk(
        "Java",
        "java",
        "com.aliyun:iot20180120",
        "java",
        """\
import com.aliyun.iot20180120.Client;
import com.aliyun.iot20180120.models.QueryProductListRequest;
import com.aliyun.teaopenapi.models.Config;

public class Products {
    public static void main(String[] args) throws Exception {
        Config config = new Config()
                .setAccessKeyId(System.getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"))
                .setAccessKeySecret(System.getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"))
                .setEndpoint("$host")
                .setProtocol("$protocol");
        QueryProductListRequest request = new QueryProductListRequest().setCurrentPage(1).setPageSize(10);
        new Client(config).queryProductList(request).getBody().getData().getList().getProductInfo().forEach(
                product -> System.out.println(product.getProductKey() + " " + product.getProductName()));
    }
}
""",
    ),
    Sdk(
        "Go",
        "go",
        "go get github.com/alibabacloud-go/iot-20180120/v6",
        "go",
        """\
package main

import (
	"fmt"
	"os"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	iot "github.com/alibabacloud-go/iot-20180120/v6/client"
	"github.com/alibabacloud-go/tea/tea"
)

func main() {
	client, err := iot.NewClient(&openapi.Config{
		AccessKeyId:     tea.String(os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID")),
		AccessKeySecret: tea.String(os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
		Endpoint:        tea.String("$host"),
		Protocol:        tea.String("$protocol"),
	})
	if err != nil {
		panic(err)
	}
	request := &iot.QueryProductListRequest{CurrentPage: tea.Int32(1), PageSize: tea.Int32(10)}
	response, err := client.QueryProductList(request)
	if err != nil {
		panic(err)
	}
	for _, product := range response.Body.Data.List.ProductInfo {
		fmt.Println(tea.StringValue(product.ProductKey), tea.StringValue(product.ProductName))
	}
}
""",
    ),
)
