"""Links of the OpenAPI document: which operations take the names and IDs that a response contains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from console.connections.errors import to_snake_case

Schema = dict[str, Any]


def add_links(document: Schema) -> None:
    """Add to each response with names or IDs the links to the operations whose addresses they complete.

    An operation is linked if the parameters of its path that the operation's own path lacks are fields of the response, or of
    the first item of its list. The others are taken from the path of the request, the connection always.
    """
    operations = [
        (operation["operationId"], _list_path_parameters(path), operation)
        for path, methods in document["paths"].items()
        for operation in methods.values()
    ]
    for own_id, own_parameters, operation in operations:
        for status, response in operation["responses"].items():
            pointers = _find_fields(response, document) if status < "300" else {}
            links = {
                linked_id: {
                    "operationId": linked_id,
                    "parameters": {
                        name: f"$request.path.{name}"
                        if name in own_parameters
                        else f"$response.body#{pointers[name]}"
                        for name in parameters
                    },
                }
                for linked_id, parameters, _operation in operations
                if linked_id != own_id
                and "connection" in own_parameters
                and parameters - own_parameters
                and parameters - own_parameters <= pointers.keys()
            }
            if links:
                response["links"] = links


def _list_path_parameters(path: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", path))


def _find_fields(response: Schema, document: Schema) -> Mapping[str, str]:
    """Return the JSON pointers of the fields of a response by the names of the path parameters that they are for.

    `id` of a job is for `job_id`, and `name` of a new device for `device_name`; other fields are for the parameter with their
    name.
    """
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    resolved, pointer = _resolve(schema, document), ""
    for step in ("items", "0"):  # a page, or a list
        if step == "items" and "items" in resolved.get("properties", {}):
            resolved, pointer = resolved["properties"]["items"], "/items"
        elif step == "0" and resolved.get("type") == "array":
            resolved, pointer = _resolve(resolved["items"], document), f"{pointer}/0"
    prefix = to_snake_case(re.sub("^(Created|Registered)", "", resolved.get("title", "")))
    return {
        f"{prefix}_{name}" if name in ("id", "name") else name: f"{pointer}/{name}"
        for name in resolved.get("properties", {})
    }


def _resolve(schema: Schema, document: Schema) -> Schema:
    name: str = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema
