"""Publishing: what a package file turns into, and what is refused with nothing kept."""

from tests.house import House


def test_published_package_is_in_the_shards_at_once(any_house: House) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo", version="1.0")
    assert any_house.sharded("data").keys() == {entry.artifact.filename}


def test_published_package_is_in_repodata_after_the_reindex(any_house: House) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo", version="1.0")
    any_house.reindex_all()
    assert any_house.repodata("data")["packages.conda"].keys() == {entry.artifact.filename}
