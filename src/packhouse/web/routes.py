"""Every route, on one page: what is mounted, and where."""

from fastapi import FastAPI

from packhouse.web.api import (
    account,
    artifacts,
    auth,
    channels,
    files,
    health,
    mirrors,
    oauth,
    system,
    uploads,
)
from packhouse.web.pages import authorize, device

API_ROUTERS = (
    *(system.router, auth.router, oauth.router, account.router),
    *(channels.router, artifacts.router, files.router, uploads.router, mirrors.router),
)

API_ROOTS = ("/api", "/api/repo")
"""Existing clients ask below one or the other; below `/api/repo/` the package files lie as well."""


def install_routes(application: FastAPI) -> None:
    """Mount the management API below both roots; it is documented once, below `/api`."""
    application.include_router(health.router)
    application.include_router(oauth.discovery)
    for pages in (device.router, authorize.router):
        application.include_router(pages, include_in_schema=False)
    for root in API_ROOTS:
        for router in API_ROUTERS:
            application.include_router(router, prefix=root, include_in_schema=root == API_ROOTS[0])
