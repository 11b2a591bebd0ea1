"""One run of the command line: what was asked for all commands, the configuration, and the server's client."""

from functools import cached_property
from typing import TYPE_CHECKING

import typer

from packhouse_client.errors import Unauthenticated
from packhouse_client.global_options import GlobalOptions
from packhouse_client.terminal.output import Output

if TYPE_CHECKING:
    from packhouse_client.client import PackhouseClient
    from packhouse_client.configuration import Configuration
    from packhouse_client.configuration.credentials import Credential
    from packhouse_client.configuration.sites import Site


class Session:
    """Made before every command; what costs time or may fail is made when it is first asked for."""

    def __init__(self, options: GlobalOptions, program: str) -> None:
        self.options = options
        self.program = program
        """What the user typed to get here: `conda repo`, `anaconda repo` or `conda-repo`."""
        self.output = Output(quiet=options.quiet, verbose=options.verbose)
        self.may_ask_to_log_in = True
        """False for `login` itself, whose own failure is the answer."""
        self._has_warned = False

    @cached_property
    def configuration(self) -> "Configuration":
        from packhouse_client.configuration import read_configuration

        return read_configuration()

    @cached_property
    def site(self) -> "Site":
        """The server to ask. Raises `NotConfigured` where none is known."""
        from packhouse_client.configuration.sites import choose_site

        return choose_site(self.configuration, self.options)

    @cached_property
    def credential(self) -> "Credential | None":
        """Who to ask as; None is anonymous. Raises `Unauthenticated` for a log-in that has expired."""
        from packhouse_client.configuration.credentials import find_credential

        return find_credential(self.site, self.options)

    def require_log_in(self) -> "Credential":
        """Raises Unauthenticated where there is no credential: before a server has to say so."""
        if self.credential is None:
            raise Unauthenticated("You are not logged in. Run: conda repo login, or anaconda login")
        return self.credential

    @cached_property
    def client(self) -> "PackhouseClient":
        """The server, asked with the stored credential if there is one."""
        return self.connect(None if self.credential is None else self.credential.secret)

    def connect(self, token: str | None) -> "PackhouseClient":
        """The server, asked with this token."""
        from packhouse_client.client import PackhouseClient

        if self.site.verify is False:
            self._warn_of_certificate()
        ca_file = self.site.verify if isinstance(self.site.verify, str) else None
        client = PackhouseClient(self.site.url, token, ca_file, insecure=self.site.verify is False)
        if self.options.verbose:
            client.on_answer = self.output.tell_of_answer
        return client

    def _warn_of_certificate(self) -> None:
        """In a sentence and once, where urllib3 would name a line of its code for every request."""
        from urllib3 import disable_warnings
        from urllib3.exceptions import InsecureRequestWarning

        disable_warnings(InsecureRequestWarning)
        if (
            not self.options.disable_ssl_warnings
            and not self._has_warned
            and self.site.url.startswith("https:")
        ):
            self.output.warn(f"The certificate of {self.site.url} is not verified.")
            self._has_warned = True

    def close(self) -> None:
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def forget_credential(self) -> None:
        """Look for the credential again, and make a client with it, when they are next needed."""
        self.close()
        self.__dict__.pop("credential", None)


def session_of(context: typer.Context) -> Session:
    found = context.find_object(Session)
    assert found is not None, "the app's callback makes it"
    return found
