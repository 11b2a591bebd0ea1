"""Why no answer came, in a sentence that names the server and the way out."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from packhouse_client.errors import BadConfiguration, ClientError, Unreachable, Untrusted

NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""What OpenSSL calls an answer that is no TLS; which word it takes depends on its version."""
BAD_CA_FILE = ("NO_CERTIFICATE_OR_CRL_FOUND", "PEM_LIB", "BAD_BASE64_DECODE", "PEM lib")
TLS_RECORDS = ("\x15\x03", "\x16\x03")
"""How an alert and a handshake of TLS begin. Says who? RFC 8446, 5.1."""
BROKEN = (ConnectionError, http.client.IncompleteRead, ssl.SSLEOFError, ssl.SSLZeroReturnError)


@contextmanager
def reachable(url: str) -> Iterator[None]:
    """Raises Unreachable, or Untrusted, for whatever keeps an exchange with the server from its end."""
    try:
        yield
    except requests.exceptions.Timeout as error:
        raise Unreachable(f"{url} did not answer in time.") from error
    except requests.exceptions.ProxyError as error:
        raise Unreachable(f"Cannot reach {url} through the proxy {_proxy(url)}: {_reason(error)}.") from error
    except requests.exceptions.SSLError as error:
        raise _of_tls(url, error) from error
    except requests.exceptions.RequestException as error:
        raise _of_connection(url, error) from error


def _of_tls(url: str, error: Exception) -> ClientError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Untrusted(
                f"The certificate of {url} is not trusted: {cause.verify_message.rstrip('.')}. "
                "Name the file of the CA that signed it: --ca-file FILE, or ssl_verify in the configuration."
            )
    said = " ".join(str(cause) for cause in causes)
    if any(word in said for word in NO_TLS):
        plain = url.replace("https://", "http://", 1)
        return Untrusted(f"{url} does not speak TLS. If that is how it should be, write {plain}")
    if any(word in said for word in BAD_CA_FILE):
        return BadConfiguration(
            "The file of trusted CAs (--ca-file, ssl_verify or REQUESTS_CA_BUNDLE) holds no certificates."
        )
    if any(isinstance(cause, BROKEN) for cause in causes):
        return Unreachable(f"The connection to {url} broke.")
    return Untrusted(f"No safe connection to {url}: {causes[-1]}.")


def _of_connection(url: str, error: Exception) -> Unreachable:
    for cause in _causes(error):
        if isinstance(cause, http.client.BadStatusLine) and str(cause).startswith(TLS_RECORDS):
            return Unreachable(f"{url} speaks TLS. Write {url.replace('http://', 'https://', 1)}")
    if _reason(error) == "the connection broke":
        hint = f" If it speaks TLS, write {url.replace('http://', 'https://', 1)}" if _is_plain(url) else ""
        return Unreachable(f"The connection to {url} broke.{hint}")
    return Unreachable(f"Cannot reach {url}: {_reason(error)}.")


def _is_plain(url: str) -> bool:
    return urlsplit(url).scheme == "http"


def _reason(error: Exception) -> str:
    """The innermost cause, in few words."""
    causes = list(_causes(error))
    for kind, words in (
        (socket.gaierror, "its name is not known"),
        (ConnectionRefusedError, "connection refused"),
        (BROKEN, "the connection broke"),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return words
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return str(causes[-1]).rstrip(".")


def _causes(error: BaseException, seen: set[int] | None = None) -> Iterator[BaseException]:
    """The error and all it was made from: requests and urllib3 pass causes on as arguments and as `reason`."""
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__):
        if isinstance(inner, BaseException):
            yield from _causes(inner, seen)


def _proxy(url: str) -> str:
    """As the environment names it, without the user and password that it may hold."""
    proxy = select_proxy(url, get_environ_proxies(url)) or "of the environment"
    scheme, separator, rest = proxy.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]
