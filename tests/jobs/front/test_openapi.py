"""The OpenAPI document: what it says is so, and all there is."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
from starlette.routing import Mount, Route

from lettermill.jobs.front.openapi import document
from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.server import api_of


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): operation
        for path, methods in document("1")["paths"].items()
        for method, operation in methods.items()
    }


def test_it_describes_every_address_and_no_other(office: Office) -> None:
    routes = {
        (f"/api/v1{route.path}", method.lower())
        for route in api_of(office).routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == operations().keys()
    assert not [route for route in api_of(office).routes if isinstance(route, Mount)]


def test_it_is_sound() -> None:
    """Parameters are those of the path, names of operations differ, references lead somewhere."""
    described = document("1")
    for (path, _), operation in operations().items():
        parameters = operation.get("parameters", [])
        in_path = {one["name"] for one in parameters if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(one["required"] for one in parameters if one["in"] == "path")
        assert {"default"} < operation["responses"].keys()
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)
    for reference in re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(described)):
        assert reference in described["components"]["schemas"]
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
