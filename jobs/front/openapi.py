"""Describe the HTTP interface as an OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from lettermill.jobs.front.downloads import MEDIA_TYPES
from lettermill.jobs.front.submit import Wanted

_JSON = "application/json"


def document(version: str) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        version: the version of Lettermill.
    """
    _, components = msgspec.json.schema_components([Wanted], ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lettermill", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "security": [{"token": []}],
        "paths": {f"/api/v1{path}": operations for path, operations in _paths().items()},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**components, **_SCHEMAS},
        },
    }


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}

_SCHEMAS: dict[str, Any] = {
    "Job": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(("job", "request", "by", "created", "problem", "page"), _TEXT),
            **dict.fromkeys(("pages", "finished", "failed"), _COUNT),
            "state": {"enum": ["waiting", "being read", "complete", "stopped", "unfinished", "damaged"]},
        },
        "required": [
            *("job", "state", "request", "by", "created", "pages", "finished", "failed", "problem", "page")
        ],
    },
    "Jobs": {
        "type": "object",
        "properties": {
            "count": _COUNT,
            "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
        },
        "required": ["count", "jobs"],
    },
    "Upload": {"type": "object", "properties": {"upload": _TEXT}, "required": ["upload"]},
    "Received": {
        "type": "object",
        "properties": {"offset": _COUNT, "length": _COUNT},
        "required": ["offset", "length"],
    },
    "Problem": {
        "type": "object",
        "properties": {"error": _TEXT, "next_step": _TEXT, "offset": _COUNT},
        "required": ["error", "next_step"],
    },
}


def _paths() -> dict[str, Any]:
    job, upload = _in_path("name", "the job's name"), _in_path("upload", "the upload's name")
    file = _in_path("name", "the file's name")
    length = _in_query("length", "bytes of the whole file", required=True, schema=_COUNT)
    version = _in_query("version", "a word that differs if the content does, as its date or digest")
    kind = _in_query(
        "kind", "template for the files of a form's template", schema={"enum": ["scans", "template"]}
    )
    return {
        "/openapi.json": {"get": _operation("openapi", "This document", _answer(200, "the document"))},
        "/uploads": {"post": _operation("beginUpload", "Begin an upload", _json(201, "Upload"))},
        "/uploads/{upload}": {
            "delete": _operation("deleteUpload", "Delete an upload", _answer(204, "deleted"), upload)
        },
        "/uploads/{upload}/{name}": {
            "get": _operation(
                "received",
                "How much of a file is there",
                _json(200, "Received"),
                *(upload, file, length, version, kind),
            ),
            "put": _operation(
                "sendFile",
                "Send a whole file",
                _json(200, "Received"),
                *(upload, file, version, kind),
                body=_bytes_body(),
            ),
            "patch": _operation(
                "sendRest",
                "Send the rest of a file",
                _json(200, "Received"),
                *(upload, file, length, version, kind),
                _in_header("Upload-Offset", "bytes that are there", required=True),
                body=_bytes_body(),
            ),
        },
        "/jobs": {
            "get": _operation(
                "jobs",
                "Jobs, those last used first, fifty at a time",
                _json(200, "Jobs"),
                _in_query("page", "which fifty, from 1", schema={"type": "integer", "minimum": 1}),
            ),
            "post": _operation(
                "submit",
                "Make a job of an upload or a folder, and have it read",
                _json(201, "Job"),
                _in_header("Idempotency-Key", "the same key never makes a second job"),
                body={"required": True, "content": {_JSON: {"schema": _ref("Wanted")}}},
            ),
        },
        "/jobs/{name}": {
            "get": _operation("status", "How far a job is", _json(200, "Job"), job),
            "delete": _operation("deleteJob", "Delete a job", _answer(204, "deleted"), job),
        },
        "/jobs/{name}/cancel": {"post": _operation("cancel", "Stop a job", _json(200, "Job"), job)},
        "/jobs/{name}/resume": {"post": _operation("resume", "Continue a job", _json(200, "Job"), job)},
        "/jobs/{name}/results/{what}": {
            "get": _operation(
                "results",
                "A result, with all corrections",
                {
                    "200": {
                        "description": "the file",
                        "content": {kind.partition(";")[0]: {} for kind in sorted({*MEDIA_TYPES.values()})},
                    }
                },
                job,
                _in_path("what", "which one", {"enum": list(MEDIA_TYPES)}),
            )
        },
    }


def _operation(
    name: str, summary: str, answers: dict[str, Any], *parameters: dict[str, Any], body: Any = None
) -> dict[str, Any]:
    problem = {"description": "what went wrong", "content": {_JSON: {"schema": _ref("Problem")}}}
    return {
        "operationId": name,
        "summary": summary,
        **({"parameters": list(parameters)} if parameters else {}),
        **({"requestBody": body} if body else {}),
        "responses": {**answers, "default": problem},
    }


def _answer(status: int, description: str) -> dict[str, Any]:
    return {str(status): {"description": description}}


def _json(status: int, schema: str) -> dict[str, Any]:
    return {
        str(status): {"description": schema.lower(), "content": {_JSON: {"schema": _ref(schema)}}},
    }


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _in_path(name: str, description: str, schema: Any = _TEXT) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _in_query(name: str, description: str, required: bool = False, schema: Any = _TEXT) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _in_header(name: str, description: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": _TEXT}


def _bytes_body() -> dict[str, Any]:
    return {"required": True, "content": {"application/octet-stream": {}}}
