"""The names of what can be configured: how they are written, which are known, and which values they take."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from packhouse_client.configuration import expand
from packhouse_client.configuration.sites import NO, TRUSTSTORE, YES, normal_url
from packhouse_client.errors import BadConfiguration, WrongUsage

Keys = tuple[str, ...]

FLAGS = frozenset({"auto_register", "oauth2", "use_device_flow", "hash_hostname", "use_unified_repo_api_key"})
FLAG_OR_PATH = frozenset({"ssl_verify"})
ADDRESSES = frozenset({"url", "domain"})
TEXTS = frozenset(
    {
        *("default_site", "api_key", "keyring_path", "preferred_token_storage", "client_id", "redirect_uri"),
        *("openid_config_path", "login_success_path", "login_error_path", "auth_domain_override"),
        *("client_cert", "client_cert_key"),
    }
)
TABLES = frozenset({"extra_headers", "proxy_servers", "oidc_request_headers", "keyring"})
OLD_STYLE = frozenset({"url", "ssl_verify", "auto_register", "oauth2"})
"""What `conda repo` had before `config.toml`, with no site around it."""
KNOWN_TOP = OLD_STYLE | {"default_site"}
KNOWN_OF_SITE = FLAGS | FLAG_OR_PATH | ADDRESSES | TEXTS | TABLES
DEFAULTS: Mapping[str, Any] = {"auto_register": True, "oauth2": False, "ssl_verify": True}

SECRETS = frozenset({"api_key", "keyring", "token", "password", "extra_headers"})
MASK = "********"
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
NAME = re.compile(rf"{_PART}(\.{_PART})*")
"""Keys of TOML with dots between them, and nothing else. Says who? https://toml.io/en/v1.0.0#keys"""


def parse_keys(name: str) -> Keys:
    """`sites."my.site".domain` as keys; without quotes, a site's name ends where a key of sites begins.

    Raises WrongUsage for what is no name.
    """
    if '"' not in name and "'" not in name and name.startswith("sites."):
        site, _, key = name.removeprefix("sites.").rpartition(".")
        if site and key:
            return "sites", site, key
    return _as_toml(name)


def _as_toml(name: str) -> Keys:
    if not NAME.fullmatch(name):
        raise WrongUsage(f"'{name}' is no name of a setting; write it as url, or sites.NAME.domain.")
    try:
        value: Any = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError as error:
        raise WrongUsage(f"'{name}' is no name of a setting: {error}.") from error
    keys: list[str] = []
    while isinstance(value, dict):
        [(key, value)] = value.items()
        keys.append(key)
    return tuple(keys)


def dotted(keys: Keys) -> str:
    """As it is written: with quotes where a key needs them."""
    return ".".join(
        key if BARE.fullmatch(key) else '"' + key.replace("\\", r"\\").replace('"', r"\"") + '"'
        for key in keys
    )


def is_known(keys: Keys) -> bool:
    if keys[0] == "sites":
        return len(keys) > 2 and keys[2] in KNOWN_OF_SITE
    if keys[0] == "plugin":  # of anaconda-cli-base; each of its plugins has its own
        return len(keys) > 2
    return len(keys) == 1 and keys[0] in KNOWN_TOP


def known_like(keys: Keys) -> list[str]:
    """Names to compare a misspelled one with."""
    if keys[0] == "sites" and len(keys) > 1:
        return [dotted(("sites", keys[1], key)) for key in sorted(KNOWN_OF_SITE)]
    return sorted(KNOWN_TOP)


def parse_value(keys: Keys, text: str) -> Any:
    """The text as the kind of value that the setting takes. Raises WrongUsage for one that it does not take."""
    key = keys[-1]
    if key in ADDRESSES:
        return _address(keys, text)
    if key in FLAGS or (key in FLAG_OR_PATH and text.lower() in YES | NO):
        return _flag(keys, text)
    if key in FLAG_OR_PATH:
        return _path(keys, text)
    return text if key in TEXTS else as_yaml_value(text)


def _flag(keys: Keys, text: str) -> bool:
    if text.lower() not in YES | NO:
        raise WrongUsage(f"'{dotted(keys)}' is true or false, not '{text}'.")
    return text.lower() in YES


def _path(keys: Keys, text: str) -> str:
    """A relative one would mean another file in every folder."""
    if text.lower() == TRUSTSTORE:
        return text
    path = expand(text)
    if not path.exists():
        raise WrongUsage(
            f"'{dotted(keys)}' is true, false, or a file that is there; '{text}' is none of them."
        )
    return text if text.startswith(("~", "$")) else str(path.absolute())


def _address(keys: Keys, text: str) -> str:
    try:
        normal_url(text)
    except BadConfiguration as error:
        raise WrongUsage(f"The value of '{dotted(keys)}': {error}") from None
    if keys[-1] == "url" and not urlsplit(text).scheme.startswith("http"):
        raise WrongUsage(f"The value of '{dotted(keys)}' must be a URL, as https://{text}.")
    return text


def as_yaml_value(text: str) -> Any:
    """`5` as a number, `[a, b]` as a list, and so on. Raises WrongUsage for what is no YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise WrongUsage(f"'{text}' is no value in YAML: {' '.join(str(error).split())}") from error


TYPES: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda text: parse_value(("oauth2",), text),
    "yaml": as_yaml_value,
}


def typed_value(kind: str, text: str) -> Any:
    """Raises WrongUsage for a text that is not of this kind."""
    try:
        return TYPES[kind](text)
    except ValueError as error:
        raise WrongUsage(f"'{text}' is no {kind}.") from error


def masked(value: Any, key: str = "") -> Any:
    """The same for people to see: secrets are covered, wherever they are inside."""
    if isinstance(value, Mapping) and key not in SECRETS:
        return {name: masked(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list) and key not in SECRETS:
        return [masked(inner) for inner in value]
    if key in SECRETS and value is not None:
        return MASK
    if isinstance(value, str):
        return PASSWORD_IN_URL.sub(f"{MASK}@", value)
    return value if value is None or isinstance(value, int | float) else str(value)  # TOML has dates


def is_secret(keys: Keys) -> bool:
    return not SECRETS.isdisjoint(keys)


def holds_secret(value: Any) -> bool:
    return bool(masked(value) != value)
