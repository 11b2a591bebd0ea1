"""What a load balancer asks: is the process alive, and can it do its work?"""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from packhouse.web.credentials import House

router = APIRouter(tags=["operations"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(packhouse: House, response: Response) -> dict[str, Any]:
    """The database answers and has the schema of this version; 503 otherwise."""
    try:
        with packhouse.database.reading() as connection:
            connection.execute(text("SELECT 1"))
        is_ready = packhouse.database.is_current()
    except SQLAlchemyError:
        is_ready = False
    response.status_code = 200 if is_ready else 503
    return {"status": "ok" if is_ready else "database not ready"}
