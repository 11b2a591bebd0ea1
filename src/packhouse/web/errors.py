"""How errors look over HTTP: one table of statuses, and one body that suits every client."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from packhouse.errors import (
    Busy,
    ChecksumMismatch,
    Conflict,
    Corrupt,
    Forbidden,
    Frozen,
    GrantRefused,
    Interrupted,
    Invalid,
    NotFound,
    PackhouseError,
    Stopped,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UpstreamError,
)

log = structlog.get_logger(__name__)

STATUSES: Mapping[type[PackhouseError], int] = {
    Invalid: 400,
    TooLarge: 413,
    Unauthenticated: 401,
    TooManyRequests: 429,
    Busy: 503,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Frozen: 400,  # the existing client takes a bulk action's 400 for "the channel is frozen"
    Interrupted: 400,
    ChecksumMismatch: 460,  # the number that tus made up for it
    StorageFull: 507,
    Corrupt: 500,
    UpstreamError: 502,
    Stopped: 503,
}
"""A subclass that is not listed has the status of its nearest ancestor."""

CODES: Mapping[int, str] = {
    401: "auth_required",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
}

CHALLENGES = 'Basic realm="packhouse", Bearer realm="packhouse"'


class ErrorFacts(BaseModel):
    code: str = Field(description="The machine's word for what went wrong.")
    message: str = Field(description="A sentence for people: what is wrong, and the way out.")


class ErrorBody(ErrorFacts):
    """The same facts twice: some clients read them at the top, and others under `error`."""

    error: ErrorFacts


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorBody, "description": "Refused."}
}
"""For every route's `responses`, so that the API's description shows how a refusal looks."""


def status_of(error: PackhouseError) -> int:
    return next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)


def error_body(error: PackhouseError) -> dict[str, Any]:
    return envelope(error.code, error.message)


def envelope(code: str, message: str) -> dict[str, Any]:
    """`error` is always an object: a list or a string in its place crashes anaconda-auth on 401 and 403."""
    sendable = message.encode("utf-8", "backslashreplace").decode()  # names in it may hold lone surrogates
    return {"error": {"code": code, "message": sendable}, "code": code, "message": sendable}


def internal_error_body() -> dict[str, Any]:
    """What went wrong is for the log alone."""
    message = "Something went wrong inside the server; its log says what. Try again, or tell its operator."
    return envelope("internal", message)


def headers_of(error: PackhouseError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": CHALLENGES}
    if isinstance(error, TooManyRequests | Busy):
        return {"Retry-After": str(error.wait_seconds)}
    return {}


def install_error_handlers(app: FastAPI) -> None:
    """Whatever goes wrong behind `app`, the answer is the envelope, or what OAuth has in its place."""
    app.add_exception_handler(PackhouseError, _packhouse_error)
    app.add_exception_handler(GrantRefused, _grant_refused)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


def _packhouse_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PackhouseError)
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("internal_error", code=error.code, exc_info=error)
    return JSONResponse(error_body(error), status, headers_of(error))


def _grant_refused(_request: Request, error: Exception) -> JSONResponse:
    """The one body that is not the envelope: OAuth has its own (RFC 6749, 5.2)."""
    assert isinstance(error, GrantRefused)
    body = {"error": error.code, "error_description": error.message}
    return JSONResponse(body, STATUSES[Invalid], {"Cache-Control": "no-store"})


def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse(envelope(Invalid.code, _first_problem(error.errors()[0])), STATUSES[Invalid])


def _first_problem(problem: Mapping[str, Any]) -> str:
    """Names the field, and never repeats what was sent: it may be a password."""
    place, *path = (str(part) for part in problem["loc"])
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON."
    if not path:
        return f"The {place} is missing or is no JSON object."
    return f"Field '{'.'.join(path)}' of the {place}: {problem['msg'].removeprefix('Value error, ')}."


def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = CODES.get(status, Invalid.code if status == HTTPStatus.BAD_REQUEST else _as_code(status))
    return JSONResponse(envelope(code, _sentence(request, status, error.detail)), status, error.headers)


def _as_code(status: HTTPStatus) -> str:
    return status.name.lower()


def _sentence(request: Request, status: HTTPStatus, detail: str) -> str:
    if status == HTTPStatus.NOT_FOUND and detail == status.phrase:
        return "There is nothing at this address."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"This address does not take {request.method} requests."
    return detail


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("internal_error", method=request.method, exc_info=error)
    return JSONResponse(internal_error_body(), HTTPStatus.INTERNAL_SERVER_ERROR)
