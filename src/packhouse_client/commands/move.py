"""`move`: take packages or files out of one channel and put them into another."""

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.bulk_changes import BulkChange, Destination, DryRun, OneFamily, Specifications
from packhouse_client.commands.options import Json, Yes
from packhouse_client.session import session_of

app = new_app()


@app.command()
def move(
    context: typer.Context,
    specs: Specifications,
    destination: Destination = None,
    family: OneFamily = "conda",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Move packages, versions or single files to another channel.

    A person at a terminal is asked first; scripts give --yes. All that is moved out of one channel is moved as
    a whole, or not at all.

    Examples:

        conda repo move stage::demo --destination team

        conda repo move stage::demo/1.0 -d team/main --yes
    """
    BulkChange(session_of(context), "move", family, destination, yes, as_json, dry_run).run(specs)
