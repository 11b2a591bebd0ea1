"""Bodies that are held in memory whole: how long they may be, and which are not held at all."""

import pytest

from packhouse.web.body_limit import MAX_FORM_BYTES, MAX_JSON_BYTES
from tests.house import House
from tests.web.conftest import session
from tests.web.forms import assert_refused, form, part, send_form
from tests.web.test_oauth import FORM
from tests.web.test_uploads import opened, send

JSON_TYPE = {"content-type": "application/json"}
MULTIPART = {"content-type": "Multipart/Form-Data; boundary=x"}


@pytest.mark.parametrize(
    ("path", "headers", "limit"),
    [
        ("/api/auth/login", JSON_TYPE, MAX_JSON_BYTES),
        ("/api/auth/login", {}, MAX_JSON_BYTES),
        ("/api/auth/token", FORM, MAX_FORM_BYTES),
        ("/api/auth/device", MULTIPART, MAX_FORM_BYTES),
        ("/app/device", FORM, MAX_FORM_BYTES),
    ],
)
def test_body_of_a_stranger_beyond_the_limit_is_refused(
    house: House, path: str, headers: dict[str, str], limit: int
) -> None:
    answer = house.request("POST", path, headers=headers, body=b"x" * (limit + 1))

    assert_refused(answer, 413, "too_large", f"longer than {limit // 1024} KiB")


def test_body_at_the_limit_is_read(house: House) -> None:
    body = b'{"username": "admin", "password": "no"}'.ljust(MAX_JSON_BYTES)

    assert house.request("POST", "/api/auth/login", headers=JSON_TYPE, body=body).status == 401


def test_file_in_a_form_may_be_longer(house: House) -> None:
    house.channel("tools")
    file = part("content", bytes(MAX_JSON_BYTES + 1), "zeros.bin")
    fields = (part("filetype", "gra"), part("name", "zeros"))

    assert send_form(house, "tools", form(file, *fields), session(house, "admin")).status == 201


def test_part_of_an_upload_may_be_longer(house: House) -> None:
    house.channel("tools")
    data, token = bytes(MAX_JSON_BYTES + 1), session(house, "admin")
    path = opened(house, token, len(data))

    assert send(house, path, token, data, 0).headers["upload-offset"] == str(len(data))
