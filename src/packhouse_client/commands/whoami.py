"""`whoami`: the account that the server knows the caller as."""

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.session import session_of

app = new_app()


@app.command()
def whoami(context: typer.Context, as_json: Json = False) -> None:
    """Show who is logged in, with roles, default channel and user id."""
    session = session_of(context)
    session.may_ask_to_log_in = False
    session.require_log_in()
    account = session.client.account()
    if as_json:
        session.output.print_json(account)
    else:
        from packhouse_client.terminal.yaml import as_yaml

        session.output.print(as_yaml(account))
