"""Answers that all parts of the simulated API share: V2 and V3 errors, V3 pages (bigcommerce.md 1.4, 1.5)."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

DOCS = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"


def v2_error(status: int, message: str) -> Response:
    """V2: an array."""
    return JSONResponse([{"status": status, "message": message}], status)


def v3_error(status: int, title: str, errors: Mapping[str, str] | None = None) -> Response:
    """V3: an object; `errors` only where there are any."""
    body: dict[str, Any] = {"status": status, "title": title, "type": DOCS}
    return JSONResponse(body | ({"errors": dict(errors)} if errors else {}), status)


def problem(status: int, title: str, errors: Mapping[str, str] | None = None) -> Response:
    """The inventory and locations APIs: the same object under its own media type; the useful text is in the title."""
    body = {"status": status, "title": title, "type": DOCS, "errors": dict(errors or {})}
    return JSONResponse(body, status, media_type="application/problem+json")


def number(request: Request, name: str, default: int) -> int:
    """A positive number of the query, or the default."""
    text = request.query_params.get(name, "")
    return max(1, int(text)) if text.isdecimal() else default


def listed(request: Request, name: str) -> list[str] | None:
    """A comma-separated filter; None where it is not given."""
    text = request.query_params.get(name)
    return None if text is None else text.split(",")


def v3_page(request: Request, rows: Sequence[Any], *, most: int = 250) -> Response:
    """One page of a V3 list with its `meta.pagination`."""
    limit = min(number(request, "limit", 50), most)
    page = number(request, "page", 1)
    shown = list(rows[(page - 1) * limit : page * limit])
    pages = max(1, -(-len(rows) // limit))
    links = {"current": f"?page={page}&limit={limit}"}
    if page > 1:
        links["previous"] = f"?page={page - 1}&limit={limit}"
    if page < pages:
        links["next"] = f"?page={page + 1}&limit={limit}"
    pagination = {
        "total": len(rows),
        "count": len(shown),
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }
    return JSONResponse({"data": shown, "meta": {"pagination": pagination}})


def v2_page(request: Request, rows: Sequence[Any]) -> Response:
    """One page of a V2 list: a bare array, or 204 without a body where there is nothing."""
    limit = min(number(request, "limit", 50), 250)
    page = number(request, "page", 1)
    shown = list(rows[(page - 1) * limit : page * limit])
    return JSONResponse(shown) if shown else Response(status_code=204)
