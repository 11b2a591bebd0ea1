"""One ASGI application of two: package files and indexes by the short way, all the rest through FastAPI."""

from typing import Any

from fastapi import FastAPI

from packhouse import __version__
from packhouse.actions.downloads import Downloads
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.channels import RESERVED_NAMES
from packhouse.web.asgi import Receive, Scope, Send
from packhouse.web.body_limit import BodyLimit
from packhouse.web.errors import install_error_handlers
from packhouse.web.lingering import answer_after_body
from packhouse.web.openapi import install_openapi
from packhouse.web.protocols.conda import CondaApplication
from packhouse.web.protocols.conda_urls import content_path
from packhouse.web.routes import install_routes
from packhouse.web.tus import TusAnswers

MANAGEMENT_WORDS = RESERVED_NAMES - {"t"}
"""First words below `/api/repo/` that are no channel; `t` leads to a token and then to a channel."""


class Application:
    def __init__(self, packhouse: Packhouse, downloads: Downloads) -> None:
        self.api = management_api(packhouse)
        self.content = CondaApplication(packhouse, downloads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = content_path(scope.get("path", ""))
        if path is not None and path.split("/", 1)[0] not in MANAGEMENT_WORDS:
            await self.content(scope, receive, send)
        else:
            await answer_after_body(self.api, scope, receive, send)


def management_api(packhouse: Packhouse) -> FastAPI:
    application = FastAPI(
        title="Packhouse",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    application.state.packhouse = packhouse
    application.add_middleware(BodyLimit)
    application.add_middleware(TusAnswers)
    install_error_handlers(application)
    install_routes(application)
    install_openapi(application)
    return application


def openapi_document(packhouse: Packhouse) -> dict[str, Any]:
    return management_api(packhouse).openapi()
