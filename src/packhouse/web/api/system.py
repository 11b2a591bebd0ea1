"""What kind of server this is: asked by clients before they know anything else of it."""

from fastapi import APIRouter
from pydantic import BaseModel

from packhouse import __version__
from packhouse.web.errors import ERROR_RESPONSES

router = APIRouter(tags=["operations"], responses=ERROR_RESPONSES)

API_VERSION = 1
"""Raised when a client that was written for the one before would no longer work."""


class System(BaseModel):
    service_name: str = "repo"  # existing clients accept a server by this word
    name: str = "Packhouse"
    version: str = __version__
    api_version: int = API_VERSION


@router.get("/system")
def show_system() -> System:
    """Name and version; no credential is needed."""
    return System()
