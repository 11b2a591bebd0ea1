"""A process that serves a few answers; `test_server` starts it, and reads its addresses from stdout."""

import asyncio
import json
import logging
import sys
from dataclasses import asdict
from typing import Any

from packhouse.errors import PackhouseError
from packhouse.logs import configure_logs
from packhouse.settings import load_settings
from packhouse.web.server import Addresses, serve


async def application(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http", "no lifespan: the application is served twice"
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    if scope["path"] == "/forever":
        await asyncio.sleep(60)
    if scope["path"] == "/fails":
        logging.getLogger("packhouse.tests").error("failing on purpose")
        raise RuntimeError("on purpose")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['scheme']} {scope['http_version']}".encode()})


def main() -> None:
    settings = load_settings(**json.loads(sys.argv[1]))
    configure_logs(settings.log_level, settings.log_format)
    serve(application, settings, _announce, stop_seconds=float(sys.argv[2]))


def _announce(addresses: Addresses) -> None:
    print(json.dumps(asdict(addresses), default=str), flush=True)


if __name__ == "__main__":
    try:
        main()
    except PackhouseError as error:
        sys.exit(error.message)
