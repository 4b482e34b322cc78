"""The document that describes the API, made of the table and the structs that the handlers use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from .._version import __version__
from .native.sessions import KEY_PATTERN
from .operation import TIMEOUT_HEADER, Answer, Call, Operation
from .refusal import ErrorBody

VERSION = "3.1.0"
_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"
_MEANINGS = {
    400: "The request is not acceptable.",
    401: "No key that the server knows came with the request.",
    404: "There is no such thing.",
    408: "The body took too long to arrive.",
    413: "The body is too long.",
    415: "The body is not sent as JSON.",
    429: "As many requests are waiting as may.",
    500: "The server failed.",
    503: "The server is shutting down.",
    504: "There was no reply within the time allowed.",
}
_WITH_BODY = (400, 408, 413, 415)
_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "key": {"type": "string", "pattern": KEY_PATTERN},
    "model": {"type": "string", "minLength": 1},
}


class Description:
    """Shows the document.

    Args:
        operations: that it describes.
        needs_key: whether those that are not open need one.
    """

    def __init__(self, operations: Sequence[Operation], *, needs_key: bool) -> None:
        self._document = msgspec.json.encode(document(operations, needs_key=needs_key))

    async def show(self, call: Call, body: None) -> Answer:
        """Return the document."""
        return Answer(self._document)


def document(operations: Sequence[Operation], *, needs_key: bool) -> dict[str, Any]:
    """Return an OpenAPI document as plain JSON values."""
    structs = [
        kind
        for operation in operations
        for kind in (operation.body, operation.answers, operation.events)
        if kind is not None
    ]
    kinds = [ErrorBody, *dict.fromkeys(structs)]
    references, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    known = dict(zip(kinds, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _described(operation, known, needs_key=needs_key)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    made: dict[str, Any] = {
        "openapi": VERSION,
        "info": {
            "title": "empgan-rt",
            "version": __version__,
            "summary": "Replies of empathetic dialogue models.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if needs_key:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return made


def _described(operation: Operation, known: dict[Any, Any], *, needs_key: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation, known, needs_key=needs_key),
    }
    if operation.body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": known[operation.body]}},
        }
    if needs_key and not operation.open:
        made["security"] = [{"key": []}]
    return made


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    in_query = [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in operation.query.items()
    ]
    if operation.body is None:
        return in_path + in_query
    timeout = {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": "Most seconds until the whole answer is there.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }
    return [*in_path, *in_query, timeout]


def _event(schema: Any) -> dict[str, Any]:
    """Return the schema of each event, as OpenAPI 3.2 writes it for `itemSchema`."""
    data = {"type": "string", "contentMediaType": _JSON, "contentSchema": schema}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"event": {"type": "string"}, "data": data},
    }


def _responses(
    operation: Operation, known: dict[Any, Any], *, needs_key: bool
) -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    if operation.answers is not None:
        content = {_JSON: {"schema": known[operation.answers]}}
    if operation.events is not None:
        content["text/event-stream"] = {"schema": _event(known[operation.events])}
    statuses = {500, *operation.errors}
    if operation.body is not None:
        statuses |= {*_WITH_BODY, 429, 504}
    if not operation.open:
        statuses |= {503, 401} if needs_key else {503}
    failed = {_JSON: {"schema": known[ErrorBody]}}
    errors = {
        str(status): {"description": _MEANINGS[status], "content": failed}
        for status in sorted(statuses)
    }
    return {"200": {"description": "What was asked for.", "content": content}, **errors}
