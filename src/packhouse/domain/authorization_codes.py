"""An authorization code: what a browser carries from the page of the log-in to the program that waits for it.

RFC 6749, 4.1, as RFC 8252 wants it of programs on people's own machines: with PKCE (RFC 7636), and sent
nowhere but to this machine.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from packhouse.domain.oauth import check_client
from packhouse.errors import GrantRefused

LIFE = timedelta(seconds=60)

LOOPBACK_URI = re.compile(
    r"(http://(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?)(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500})?"
)
"""A pattern and no URL parser: what one parser takes for a path, another may take for a host."""

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64url (RFC 7636, 4.2)."""
MAX_STATE_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the program asks for; where the answer goes has been checked."""

    client_id: str
    redirect_uri: str
    state: str
    response_type: str
    code_challenge: str
    code_challenge_method: str

    def __post_init__(self) -> None:
        """Raises GrantRefused where there is nobody who may be answered: then nothing is sent anywhere."""
        check_client(self.client_id)
        check_redirect_uri(self.redirect_uri)

    @property
    def receiver(self) -> str:
        """Scheme, host and port of the program that waits."""
        found = LOOPBACK_URI.fullmatch(self.redirect_uri)
        assert found is not None
        return found[1]

    def check(self) -> None:
        """Raises GrantRefused for what the program itself has to be told."""
        if self.response_type != "code":
            raise GrantRefused("unsupported_response_type", "The only 'response_type' here is 'code'.")
        if self.code_challenge_method != "S256" or not CHALLENGE.fullmatch(self.code_challenge):
            raise GrantRefused("invalid_request", "A 'code_challenge' of the method 'S256' is needed.")
        if len(self.state) > MAX_STATE_LENGTH:
            raise GrantRefused("invalid_request", f"A 'state' has at most {MAX_STATE_LENGTH} characters.")

    def answered(self, **parameters: str) -> str:
        """The address that carries an answer back to the program."""
        mark = "&" if "?" in self.redirect_uri else "?"
        state = {"state": self.state} if self.state and len(self.state) <= MAX_STATE_LENGTH else {}
        return f"{self.redirect_uri}{mark}{urlencode({**parameters, **state})}"


def check_redirect_uri(uri: str) -> None:
    """Raises GrantRefused unless it leads to the very machine that the browser runs on."""
    if not LOOPBACK_URI.fullmatch(uri):
        raise GrantRefused(
            "invalid_request",
            "A 'redirect_uri' begins with http://127.0.0.1 or http://localhost: the answer goes to this machine.",
        )


def challenge_of(verifier: str) -> str:
    """The `S256` of RFC 7636, 4.2."""
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def code_digest(code: str, client_id: str, redirect_uri: str, challenge: str) -> str:
    """What is stored of a code. All that it is bound to is in the digest, so nothing else finds its row."""
    bound = json.dumps([code, client_id, redirect_uri, challenge])
    return hashlib.sha256(bound.encode()).hexdigest()
