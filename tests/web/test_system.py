"""What the server says of itself to anybody."""

import pytest

from packhouse import __version__
from tests.house import House


@pytest.mark.parametrize("root", ["/api", "/api/repo"])
def test_system_is_told_to_anybody(house: House, root: str) -> None:
    answer = house.request("GET", f"{root}/system")

    assert (answer.status, answer.json()) == (
        200,
        {"service_name": "repo", "name": "Packhouse", "version": __version__, "api_version": 1},
    )
