"""The OpenAPI 3.1 document of the HTTP API of exceptions, made from the structs it answers with. It is kept as docs/openapi.json; a test compares."""

from typing import Any

import msgspec

from app.exceptions.api import LARGEST_PAGE, PAGE, Accepted, Asked, Failure, Page, Shown
from app.exceptions.reader import STATES
from tables.exceptions import CATALOGUE, OWNERS
from tables.handling import ACTIONS

_SUMMARIES = {
    "acknowledge": "Say that somebody looks at it",
    "resolve": "Say that it was put right by hand",
    "retry": "Send the present state again by the ordinary path",
}
_FAILURES = {
    "400": "The question is wrong",
    "401": "No token, or an unknown one",
    "403": "The role does not allow it",
    "404": "There is no such exception",
    "409": "It cannot be done to it; nothing was changed",
    "413": "The body is too large",
    "429": "Too many ask at once",
    "503": "Kafka does not answer",
}


def document() -> dict[str, Any]:
    """The document, ready for JSON."""
    structs = (Page, Shown, Asked, Accepted, Failure)
    _, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clarus-stream: exceptions",
            "version": "1",
            "description": "What a person must look at: list, get, acknowledge, resolve, retry. Served by every worker with `settings.api.users`. "
            "No personal data. Roles: viewer reads; operator also acts on one; admin on many at once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {
            "/exceptions": {
                "get": _get("listExceptions", "List exceptions, the oldest first", "Page", _filters(), "400")
            },
            "/exceptions/{id}": {
                "get": _get(
                    "getException", "One exception with what it means and what mends it", "Shown", [_id()], "404"
                )
            },
            **{f"/exceptions/{action}": {"post": _post(action)} for action in ACTIONS},
        },
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _get(name: str, summary: str, answer: str, parameters: list[Any], *failures: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _content("Found", answer), **_failures("401", "429", "503", *failures)},
    }


def _post(action: str) -> dict[str, Any]:
    return {
        "operationId": f"{action}Exceptions",
        "summary": _SUMMARIES[action],
        "requestBody": {**_content("", "Asked"), "required": True},
        "responses": {"202": _content("Written", "Accepted"), **_failures(*_FAILURES)},
    }


def _failures(*statuses: str) -> dict[str, Any]:
    return {status: _content(_FAILURES[status], "Failure") for status in sorted(statuses)}


def _content(text: str, struct: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{struct}"}}}
    return {"description": text, "content": content} if text else {"content": content}


def _id() -> dict[str, Any]:
    text = "Exception id, percent-encoded"
    return {"name": "id", "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def _filters() -> list[dict[str, Any]]:
    given: dict[str, tuple[str, dict[str, Any]]] = {
        "type": ("Of this type", {"enum": list(CATALOGUE)}),
        "owner": ("Who deals with it", {"enum": list(OWNERS)}),
        "channel": ("Of this channel", {"maxLength": 500}),
        "state": ("Default: open and acknowledged", {"enum": list(STATES)}),
        "older_than": ("Opened longer ago than this: 30m, 2h, 7d", {"maxLength": 500}),
        "limit": ("Exceptions on a page", {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}),
        "after": ("`next` of the page before", {"maxLength": 500}),
    }
    return [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"} | schema}
        for name, (text, schema) in given.items()
    ]
