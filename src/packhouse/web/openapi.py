"""What the API's own description needs beyond what FastAPI finds in the signatures."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from packhouse.domain.channels import NAME_PATTERN

PATH_PARAMETER = re.compile(r"{(\w+)}")


def install_openapi(application: FastAPI) -> None:
    """Serve a description whose every path parameter is declared, though handlers read some from the path."""

    def describe() -> dict[str, Any]:
        if application.openapi_schema is None:
            document = get_openapi(
                title=application.title, version=application.version, routes=application.routes
            )
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _declare(operation, PATH_PARAMETER.findall(path))
            application.openapi_schema = document
        return application.openapi_schema

    application.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way


def _declare(operation: dict[str, Any], names: list[str]) -> None:
    parameters = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    for name in names:
        if name not in known:
            schema = {"type": "string", "pattern": f"^{NAME_PATTERN.pattern}$"}
            parameters.insert(0, {"name": name, "in": "path", "required": True, "schema": schema})
