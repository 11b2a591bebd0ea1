"""`/app/device`: where a person lets in the device whose terminal shows a code.

One form carries the answer, the name and the password together. So there is no cookie, and nothing that
another site could make use of.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from packhouse.actions.device_login import approve_device_login, deny_device_login, find_device_login
from packhouse.domain.device_logins import DeviceLogin, DeviceState
from packhouse.domain.oauth import CLIENTS
from packhouse.errors import Forbidden, NotFound, PackhouseError, TooManyRequests
from packhouse.web.credentials import House
from packhouse.web.pages.forms import page_headers, page_status, require_own_form
from packhouse.web.pages.render import page
from packhouse.web.request import asker

router = APIRouter()

Field = Annotated[str, Form()]


@router.get("/app/device")
def show_device_page(request: Request, packhouse: House, user_code: str = "") -> HTMLResponse:
    """Ask for the code, or, where the address has it, for the answer."""
    if not user_code:
        return page("device-code", user_code="", problem=None)
    try:
        login = find_device_login(packhouse, user_code, asker(request))
    except PackhouseError as error:
        return _code_again(user_code, error)
    return _question(login)


@router.post("/app/device")
def answer_device(
    request: Request,
    packhouse: House,
    user_code: Field = "",
    answer: Field = "",
    username: Field = "",
    password: Field = "",
) -> HTMLResponse:
    """Allow or deny. Whatever else the button may say is no leave."""
    try:
        require_own_form(request)
        if answer == "allow":
            login = approve_device_login(packhouse, user_code, asker(request), username, password)
        else:
            login = deny_device_login(packhouse, user_code, asker(request))
    except (Forbidden, NotFound) as error:
        return _code_again(user_code, error)
    except PackhouseError as error:
        return _asked_again(request, packhouse, user_code, username, error)
    return page("device-answered", is_allowed=login.state is DeviceState.APPROVED, client=_client(login))


def _question(login: DeviceLogin, username: str = "", error: PackhouseError | None = None) -> HTMLResponse:
    answer = page(
        "device-question",
        200 if error is None else page_status(error),
        login=login,
        client=_client(login),
        username=username,
        problem=None if error is None else error.message,
    )
    answer.headers.update({} if error is None else page_headers(error))
    return answer


def _asked_again(
    request: Request, packhouse: House, user_code: str, username: str, error: PackhouseError
) -> HTMLResponse:
    """The same question with what was wrong; the code may have run out meanwhile."""
    if isinstance(error, TooManyRequests):
        return _code_again(user_code, error)
    try:
        login = find_device_login(packhouse, user_code, asker(request))
    except PackhouseError as gone:
        return _code_again(user_code, gone)
    return _question(login, username, error)


def _code_again(user_code: str, error: PackhouseError) -> HTMLResponse:
    shown = user_code[:20]
    answer = page("device-code", page_status(error), user_code=shown, problem=error.message)
    answer.headers.update(page_headers(error))
    return answer


def _client(login: DeviceLogin) -> str:
    return CLIENTS[login.client_id]
