"""`/app/authorize`: where a person lets in a program that waits on the same machine, and what they see after.

As on `/app/device`, one form carries the answer, the name and the password together.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from packhouse.actions.authorization_code import authorize
from packhouse.domain.authorization_codes import AuthorizationRequest
from packhouse.domain.oauth import CLIENTS
from packhouse.errors import GrantRefused, PackhouseError
from packhouse.web.credentials import House
from packhouse.web.pages.forms import page_headers, page_status, require_own_form
from packhouse.web.pages.render import HEADERS, page

router = APIRouter()

Field = Annotated[str, Form()]


def asked_for(
    client_id: str = "",
    redirect_uri: str = "",
    response_type: str = "",
    state: str = "",
    code_challenge: str = "",
    code_challenge_method: str = "",
) -> AuthorizationRequest | GrantRefused:
    """What the address asks for, or why nobody can be answered; the form is sent to the same address."""
    try:
        return AuthorizationRequest(
            client_id, redirect_uri, state, response_type, code_challenge, code_challenge_method
        )
    except GrantRefused as refused:
        return refused


AskedFor = Annotated[AuthorizationRequest | GrantRefused, Depends(asked_for)]


@router.get("/app/authorize")
def show_authorize_page(asked: AskedFor) -> Response:
    """Ask whether the program may come in. What it asked wrongly is told to the program, if there is one."""
    if isinstance(asked, GrantRefused):
        return _nobody_to_answer(asked)
    try:
        asked.check()
    except GrantRefused as refused:
        return _sent_back(asked, error=refused.code, error_description=refused.message)
    return _question(asked)


@router.post("/app/authorize")
def answer_program(
    request: Request,
    packhouse: House,
    asked: AskedFor,
    answer: Field = "",
    username: Field = "",
    password: Field = "",
) -> Response:
    """Allow or deny, and send the browser back to the program."""
    if isinstance(asked, GrantRefused):
        return _nobody_to_answer(asked)
    try:
        require_own_form(request)
        if answer != "allow":
            return _sent_back(asked, error="access_denied", error_description="Denied in the browser.")
        return _sent_back(asked, code=authorize(packhouse, asked, username, password))
    except GrantRefused as refused:
        return _sent_back(asked, error=refused.code, error_description=refused.message)
    except PackhouseError as error:
        return _question(asked, username, error)


def _question(
    asked: AuthorizationRequest, username: str = "", error: PackhouseError | None = None
) -> HTMLResponse:
    answer = page(
        "authorize",
        200 if error is None else page_status(error),
        f"'self' {asked.receiver}",
        client=CLIENTS[asked.client_id],
        receiver=asked.receiver.removeprefix("http://"),
        username=username,
        problem=None if error is None else error.message,
    )
    answer.headers.update({} if error is None else page_headers(error))
    return answer


def _sent_back(asked: AuthorizationRequest, **parameters: str) -> Response:
    """303, so that the browser asks with GET and the password stays here."""
    return RedirectResponse(asked.answered(**parameters), 303, HEADERS)


def _nobody_to_answer(refused: GrantRefused) -> HTMLResponse:
    return page("message", 400, title="This log-in cannot go on", lines=[refused.message])


@router.get("/app/local-login-success")
def show_success() -> HTMLResponse:
    """Where `anaconda login` sends the browser when it has the code."""
    lines = ["The terminal goes on by itself. You can close this window."]
    return page("message", title="You are logged in", lines=lines)


@router.get("/app/local-login-error")
def show_failure() -> HTMLResponse:
    """Where `anaconda login` sends the browser when it got no code."""
    lines = ["The log-in was denied or went wrong. Start it again in the terminal: anaconda login"]
    return page("message", title="You are not logged in", lines=lines)
