"""Everything that can go wrong, drawn as one tree; the sentence for the user belongs to the error.

PackhouseError
├── Invalid              what was sent cannot be right
│   ├── InvalidPackage   a package file that cannot be read or does not agree with itself
│   ├── TooLarge         more bytes than the settings allow
│   └── GrantRefused     a program that asks for a session in the ways of OAuth, and gets none
├── Unauthenticated      say who you are first
├── TooManyRequests      too often; wait a while
├── Busy                 too much is under way for all; wait a while
├── Forbidden            known, but not allowed
├── NotFound             not there, or not for this actor to know of
├── Conflict             collides with what is there
├── Frozen               the channel takes no changes
├── Interrupted          the sender went away before the end
├── ChecksumMismatch     other bytes arrived than were announced
├── StorageFull          no room left for bytes or rows
├── Corrupt              stored bytes that do not match their digest
├── UpstreamError        what an upstream should have sent is not to be had
│   ├── UpstreamRefused      our own rules forbid to ask it
│   ├── UpstreamUnreachable  no answer, or one that broke off, as often as it was tried
│   ├── UpstreamAnswered     an answer, but not what was asked for
│   └── UpstreamLied         other bytes than the upstream itself had announced
└── Stopped              somebody said stop before the end

The table of HTTP statuses is in `web/errors.py`, and nowhere else.
"""


class PackhouseError(Exception):
    """The root. `code` is the machine's word for it, `message` the user's sentence."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(PackhouseError):
    code = "invalid"


class InvalidPackage(Invalid):
    pass


class TooLarge(Invalid):
    code = "too_large"


class GrantRefused(Invalid):
    """`code` is the word that RFC 6749 and RFC 8628 have for it, which programs act on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unauthenticated(PackhouseError):
    code = "auth_required"


class TooManyRequests(PackhouseError):
    """`wait_seconds` tells when to try again."""

    code = "too_many_requests"

    def __init__(self, message: str, wait_seconds: int) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Busy(PackhouseError):
    """`wait_seconds` tells when to try again."""

    code = "busy"

    def __init__(self, message: str, wait_seconds: int) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Forbidden(PackhouseError):
    code = "forbidden"


class NotFound(PackhouseError):
    code = "not_found"


class Conflict(PackhouseError):
    code = "conflict"


class Frozen(PackhouseError):
    code = "frozen"


class Interrupted(PackhouseError):
    code = "interrupted"


class ChecksumMismatch(PackhouseError):
    code = "checksum_mismatch"


class StorageFull(PackhouseError):
    code = "storage_full"


class Corrupt(PackhouseError):
    code = "corrupt"


class UpstreamError(PackhouseError):
    code = "upstream"


class UpstreamRefused(UpstreamError):
    pass


class UpstreamUnreachable(UpstreamError):
    pass


class UpstreamAnswered(UpstreamError):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UpstreamLied(UpstreamError):
    pass


class Stopped(PackhouseError):
    code = "stopped"
