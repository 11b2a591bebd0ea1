"""How listings are cut into pages; without arguments a listing is whole, as old clients expect."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field

from packhouse.errors import Invalid

MAX_INTEGER = 2**31 - 1


class Page:
    def __init__(
        self,
        offset: Annotated[int, Query(ge=0, le=MAX_INTEGER, description="Items to pass over.")] = 0,
        limit: Annotated[
            int | None, Query(ge=0, le=MAX_INTEGER, description="Items at most; all when left out.")
        ] = None,
    ) -> None:
        self.offset = offset
        self.limit = limit


Paging = Annotated[Page, Depends(Page)]

MOST_AT_ONCE = 1_000


class BoundedPage(Page):
    """For listings that no old client knows: never more than a thousand at once."""

    def __init__(
        self,
        offset: Annotated[int, Query(ge=0, le=MAX_INTEGER, description="Items to pass over.")] = 0,
        limit: Annotated[
            int, Query(ge=0, le=MOST_AT_ONCE, description="Items at most, a thousand of them.")
        ] = MOST_AT_ONCE,
    ) -> None:
        super().__init__(offset, limit)


BoundedPaging = Annotated[BoundedPage, Depends(BoundedPage)]

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")] | None
"""What a listing is narrowed by. PostgreSQL refuses a NUL, and SQLite ends the text there."""


def page_of(total: int, items: list[Any]) -> dict[str, Any]:
    return {"total_count": total, "items": items}


def check_sort(sort: str, known: Any) -> str:
    if sort.removeprefix("-") not in known:
        raise Invalid(
            f"Cannot sort by '{sort}'. Known are: {', '.join(known)}; a leading '-' turns it round."
        )
    return sort
