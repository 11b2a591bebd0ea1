"""What a server can refuse, as exceptions; `code` is the server's word, the message its sentence."""

from typing import ClassVar


class ClientError(Exception):
    """The root of everything that a call to a server raises."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """The HTTP status; None when no answer came."""
        self.wait_seconds: float | None = None
        """How long the server asks to wait before the next try (`Retry-After`)."""


class Unreachable(ClientError):
    """No server answered, or one that is not trusted."""

    code = "unreachable"


class Untrusted(Unreachable):
    """Something answered there, but it could not prove to be that server."""


class Interrupted(ClientError):
    """The server did not get the whole of what was sent."""

    code = "interrupted"


class Invalid(ClientError):
    code = "invalid"


class TooLarge(ClientError):
    code = "too_large"


class Unauthenticated(ClientError):
    code = "auth_required"


class Forbidden(ClientError):
    code = "forbidden"


class NotFound(ClientError):
    code = "not_found"


class Conflict(ClientError):
    code = "conflict"


class Frozen(ClientError):
    code = "frozen"


class StorageFull(ClientError):
    code = "storage_full"


class ChecksumMismatch(ClientError):
    """Other bytes arrived than were sent."""

    code = "checksum_mismatch"


class WrongUsage(ClientError):
    """The command line asks for something that cannot be."""

    code = "usage"


class NobodyToAsk(WrongUsage):
    """A question came up where there is no terminal to ask at."""


class NotConfigured(ClientError):
    """It is not known which server to ask."""

    code = "not_configured"


class BadConfiguration(ClientError):
    """A file of the configuration, or what it says, makes no sense."""

    code = "bad_configuration"


_BY_CODE: dict[str, type[ClientError]] = {
    error.code: error
    for error in (
        Interrupted,
        Invalid,
        TooLarge,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        Frozen,
        StorageFull,
        ChecksumMismatch,
    )
}


def refusal(code: str, message: str, status: int) -> ClientError:
    """The exception for an error envelope; one whose code is new to this client is a plain `ClientError`."""
    return _BY_CODE.get(code, ClientError)(message, status)
