"""Which programs may ask a person, in a browser, to be let in (OAuth 2.0)."""

from collections.abc import Mapping

from packhouse.errors import GrantRefused

CLIENTS: Mapping[str, str] = {"b4ad7f1d-c784-46b5-a9fe-106e50441f5a": "Anaconda command line"}
"""Client id -> what a person knows the program by. They are public clients: no secret proves the name."""


def check_client(client_id: str) -> str:
    """The name of the program that this client id stands for; GrantRefused for an unknown one."""
    if not client_id:
        raise GrantRefused("invalid_request", "The field 'client_id' is missing.")
    if client_id not in CLIENTS:
        raise GrantRefused(
            "invalid_client", "This 'client_id' is not known here. Leave it out of the site's configuration."
        )
    return CLIENTS[client_id]
