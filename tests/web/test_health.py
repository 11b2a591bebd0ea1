"""What a load balancer is told."""

from sqlalchemy import text

from tests.house import House


def test_process_answers(any_house: House) -> None:
    answer = any_house.request("GET", "/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_server_with_a_current_database_is_ready(any_house: House) -> None:
    answer = any_house.request("GET", "/readyz")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_server_with_a_schema_of_another_version_is_not_ready(any_house: House) -> None:
    with any_house.packhouse.database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'another'"))
    answer = any_house.request("GET", "/readyz")
    assert (answer.status, answer.json()) == (503, {"status": "database not ready"})
    assert any_house.request("GET", "/healthz").status == 200


def test_health_needs_no_credential_and_minds_no_wrong_one(house: House) -> None:
    for path in ("/healthz", "/readyz"):
        assert house.request("GET", path, "unknown-token").status == 200
