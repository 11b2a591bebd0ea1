"""`mirror`: what channels take from other servers, when, and what passes their filters."""

from collections.abc import Mapping

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.mirror import options
from packhouse_client.commands.mirror.arguments import MirrorCommand
from packhouse_client.commands.mirror.request import Request
from packhouse_client.commands.options import DEFAULT_LIMIT, Json, Offset, Yes
from packhouse_client.errors import WrongUsage
from packhouse_client.session import session_of

app = new_app()


@app.command(cls=MirrorCommand)
def mirror(
    context: typer.Context,
    more: options.More = None,
    create: options.Create = None,
    update: options.Update = None,
    delete: options.Delete = None,
    stop: options.Stop = None,
    restart: options.Restart = None,
    list_channel: options.ListChannel = None,
    list_all: options.ListAll = False,
    show: options.Show = None,
    sync_state: options.SyncState = None,
    follow: options.Follow = None,
    runs: options.Runs = None,
    changes: options.Changes = None,
    channel: options.Channel = None,
    source: options.Source = None,
    name: options.NewName = None,
    mode: options.Mode = None,
    type: options.Type = None,
    cron: options.Cron = None,
    timezone: options.Timezone = None,
    proxy: options.Proxy = None,
    run_now: options.RunNow = False,
    on_vanished: options.OnVanished = None,
    use_channel_policy: options.UseChannelPolicy = None,
    policy_id: options.PolicyId = None,
    subdirs: options.Subdirs = None,
    projects: options.Projects = None,
    licenses: options.Licenses = None,
    only_spec: options.OnlySpec = None,
    exclude_spec: options.ExcludeSpec = None,
    include_spec: options.IncludeSpec = None,
    include_dependencies: options.IncludeDependencies = None,
    cve_score: options.CveScore = None,
    exclude_uncurated_cve_packages: options.ExcludeUncurated = None,
    only_signed: options.OnlySigned = None,
    date_from: options.DateFrom = None,
    date_to: options.DateTo = None,
    dry_run: options.DryRun = False,
    wait: options.Wait = False,
    contents: options.Contents = None,
    action: options.Change = None,
    offset: Offset = 0,
    limit: options.Limit = DEFAULT_LIMIT,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Fill channels from other servers: give one of the actions from --create to --changes.

    What --update changes of the filters replaces what the mirror brought, in its next run. An empty value takes
    away what a mirror has, as --proxy "" or --licenses "".

    Examples:

    \b
        conda repo mirror --create forge --channel data --subdirs noarch,linux-64
            --source https://conda.anaconda.org/conda-forge --run_now
        conda repo mirror --update forge --channel data --only_spec numpy
            --include-dependencies --dry-run
        conda repo mirror --update forge --channel data --licenses "-agpl,-none" --wait
        conda repo mirror --show forge --channel data
        conda repo mirror --changes forge --action refused
    """
    from packhouse_client.commands.mirror.actions import ACTIONS

    asked = {
        "--create": create,
        "--update": update,
        "--delete": delete,
        "--stop": stop,
        "--restart": restart,
        "--list": list_channel,
        "--list-all": list_all or None,
        "--show": show,
        "--sync-state": sync_state,
        "--follow": follow,
        "--runs": runs,
        "--changes": changes,
    }
    said = {
        "--source": source,
        "--name": name,
        "--mode": mode,
        "--type": type,
        "--cron": cron,
        "--timezone": timezone,
        "--proxy": proxy,
        "--on-vanished": on_vanished,
        "--use-channel-policy": use_channel_policy,
        "--policy-id": policy_id,
        "--subdirs": subdirs,
        "--projects": projects,
        "--licenses": licenses,
        "--only_spec": only_spec,
        "--exclude_spec": exclude_spec,
        "--include_spec": include_spec,
        "--include-dependencies": include_dependencies,
        "--cve_score": cve_score,
        "--exclude_uncurated_cve_packages": exclude_uncurated_cve_packages,
        "--only_signed": only_signed,
        "--date_from": date_from,
        "--date_to": date_to,
    }
    flag, target = _chosen(asked)
    request = Request(
        flag,
        target,
        more or [],
        channel,
        {option: value for option, value in said.items() if value not in (None, [])},
        run_now=run_now or wait,
        wait=wait,
        dry_run=dry_run,
        contents=contents,
        change=action,
        offset=offset,
        limit=limit,
        yes=yes,
        as_json=as_json,
    )
    request.check()
    ACTIONS[flag](session_of(context), request)


def _chosen(asked: Mapping[str, str | bool | None]) -> tuple[str, str]:
    """The one action that is given, and the mirror or channel that it is about."""
    given = [flag for flag, value in asked.items() if value is not None]
    if len(given) != 1:
        said = f" You gave {' and '.join(given)}." if given else ""
        raise WrongUsage(f"Give one of {', '.join(asked)}.{said}")
    [flag] = given
    value = asked[flag]
    return flag, value.strip() if isinstance(value, str) else ""
