"""The API's own description: valid, complete, and the same as what is mounted."""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from packhouse.domain.channels import NAME_PATTERN
from packhouse.web.application import openapi_document
from tests.house import House

METHODS = {"get", "head", "options", "put", "post", "patch", "delete"}


@pytest.fixture
def document(house: House) -> dict[str, Any]:
    answer = house.request("GET", "/api/openapi.json")
    assert answer.status == 200
    described: dict[str, Any] = answer.json()
    return described


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_description_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_description_is_the_same_with_and_without_a_server(house: House, document: dict[str, Any]) -> None:
    assert openapi_document(house.packhouse) == document


def test_every_path_parameter_is_declared_once(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        declared = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert sorted(declared) == sorted(re.findall(r"{(\w+)}", path)), (method, path)


def test_channel_names_are_described_by_their_rule(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/channels/{channel}/subchannels/{subchannel}"]["get"]["parameters"]
    assert {one["schema"]["pattern"] for one in parameters} == {f"^{NAME_PATTERN.pattern}$"}


def test_every_operation_says_in_words_what_it_does(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert method in METHODS
        assert operation["summary"], (method, path)
        assert operation.get("description"), (method, path)
        assert operation["tags"], (method, path)


def test_every_operation_of_the_api_shows_how_it_refuses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if path.startswith("/api/"):
            assert "default" in operation["responses"], (method, path)


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_upload_is_described_with_its_form(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/channels/{channel}/artifacts"]["post"]["requestBody"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert {"content", "filetype", "size"} <= set(schema["properties"])
    assert schema["required"] == ["content"]


def test_each_address_is_described_once_and_answers_below_both_roots(
    house: House, document: dict[str, Any]
) -> None:
    assert not [path for path in document["paths"] if path.startswith("/api/repo/")]
    for path, method, _ in operations(document):
        if path.startswith("/api/") and method == "get":
            concrete = re.sub(r"{\w+}", "tools", path)
            answers = [
                house.request("GET", concrete.replace("/api", root, 1)).status
                for root in ("/api", "/api/repo")
            ]
            assert answers[0] == answers[1] != 405, path
