"""`copy`: put packages or files into another channel, too."""

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.bulk_changes import BulkChange, Destination, DryRun, OneFamily, Specifications
from packhouse_client.commands.options import Json, Yes
from packhouse_client.session import session_of

app = new_app()


@app.command()
def copy(
    context: typer.Context,
    specs: Specifications,
    destination: Destination = None,
    family: OneFamily = "conda",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Copy packages, versions or single files to another channel; they stay where they are, too.

    A person at a terminal is asked first. Scripts are not: nothing is lost by a copy. All that is copied from
    one channel is copied as a whole, or not at all.

    Examples:

        conda repo copy main::numpy --destination team

        conda repo copy main::numpy/1.26.4 main::scipy/1.11 -d team/stage --yes

        conda repo copy "main::zlib//zlib-1.3-0.conda?subdir=osx-64" -d team
    """
    change = BulkChange(
        session_of(context), "copy", family, destination, yes, as_json, dry_run, is_harmless=True
    )
    change.run(specs)
