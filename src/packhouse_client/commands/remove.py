"""`remove`: take packages or files out of a channel."""

from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.bulk_changes import BulkChange, DryRun, OneFamily, Specifications
from packhouse_client.commands.options import Json, Yes
from packhouse_client.session import session_of

app = new_app()


@app.command()
def remove(
    context: typer.Context,
    specs: Specifications,
    family: OneFamily = "conda",
    force: Annotated[bool, typer.Option("-f", "--force", help="The same as --yes.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove packages, versions or single files from a channel.

    A person at a terminal is asked first; scripts give --yes. All that is removed from one channel is removed
    as a whole, or not at all.

    Examples:

        conda repo remove team::demo

        conda repo remove team/stage::demo/1.0 --yes

        conda repo remove "team::zlib//zlib-1.3-0.conda?subdir=osx-64"
    """
    session = session_of(context)
    BulkChange(session, "remove", family, None, yes or force, as_json, dry_run).run(specs)
