"""What the configuration comes to: every setting, its value, and who has the last word on it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packhouse_client.configuration import Configuration
from packhouse_client.configuration.credentials import TOKEN_VARIABLES, find_credential
from packhouse_client.configuration.keys import DEFAULTS, MASK, Keys, dotted, is_secret, masked
from packhouse_client.configuration.sites import DEFAULT, Site, choose_site
from packhouse_client.errors import ClientError

if TYPE_CHECKING:
    from packhouse_client.global_options import GlobalOptions

SETTING_OF_VARIABLE: Mapping[str, Keys] = {
    "CONDA_REPO_URL": ("url",),
    "ANACONDA_REPO_URL": ("url",),
    "ANACONDA_AUTH_DOMAIN": ("plugin", "auth", "domain"),
    "ANACONDA_DEFAULT_SITE": ("default_site",),
    "ANACONDA_AUTH_SSL_VERIFY": ("ssl_verify",),
    "ANACONDA_AUTH_KEYRING_PATH": ("plugin", "auth", "keyring_path"),
    "ANACONDA_AUTH_PREFERRED_TOKEN_STORAGE": ("plugin", "auth", "preferred_token_storage"),
}
"""Variables that stand for a setting; the first of two wins."""

OTHER_VARIABLES = (
    *("SSL_NO_VERIFY", "ANACONDA_CONFIG_TOML", "REPO_CONFIG_DIR", "CONDA_ROOT", "CONDA_EXE", "CONDA_PREFIX"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    value: Any
    source: str
    """The file, variable or option that has the last word; `default` if none says anything."""
    is_secret: bool = False

    @property
    def shown(self) -> Any:
        """The value for people to see."""
        return MASK if self.is_secret and self.value is not None else masked(self.value)


def variables() -> dict[str, str]:
    """Those of the environment that matter here, with secrets covered."""
    names = (*SETTING_OF_VARIABLE, *TOKEN_VARIABLES, *OTHER_VARIABLES)
    return {name: _shown(name, os.environ[name]) for name in names if os.environ.get(name)}


def _shown(name: str, value: str) -> str:
    return MASK if name in TOKEN_VARIABLES else str(masked(value))


def find_setting(configuration: Configuration, keys: Keys) -> Setting | None:
    """The value that counts, from the environment, the files or the defaults."""
    for variable, meant in SETTING_OF_VARIABLE.items():
        if meant == keys and (said := os.environ.get(variable)):
            return Setting(dotted(keys), said, f"environment variable {variable}", is_secret(keys))
    value, path = configuration.get(*keys)
    if value is not None:
        return Setting(dotted(keys), value, str(path), is_secret(keys))
    if len(keys) == 1 and keys[0] in DEFAULTS:
        return Setting(dotted(keys), DEFAULTS[keys[0]], DEFAULT)
    return None


def all_settings(configuration: Configuration) -> list[Setting]:
    """Every setting that has a value, in the order of the files."""
    from_files = [keys for source in configuration.sources for keys in _leaves(source.values)]
    from_environment = [keys for name, keys in SETTING_OF_VARIABLE.items() if os.environ.get(name)]
    names = dict.fromkeys([*from_environment, *from_files, *((name,) for name in DEFAULTS)])
    found = [find_setting(configuration, keys) for keys in names]
    return [setting for setting in found if setting is not None]


def _leaves(values: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    for key, value in values.items():
        keys = (*above, str(key))
        if isinstance(value, Mapping):
            yield from _leaves(value, keys)
        else:
            yield keys


def merged(configuration: Configuration) -> dict[str, Any]:
    """All files and defaults as one document; one that comes earlier wins."""
    document: dict[str, Any] = {}
    for values in (DEFAULTS, *(source.values for source in reversed(configuration.sources))):
        _merge(document, values)
    return document


def _merge(document: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        below = document.get(key)
        if isinstance(value, Mapping):
            below = below if isinstance(below, dict) else {}
            document[key] = below
            _merge(below, value)
        else:
            document[key] = value


def conclusions(configuration: Configuration, options: "GlobalOptions") -> list[Setting]:
    """Which server is asked, how, and as whom. What cannot be found out has no value, and says why."""
    try:
        site = choose_site(configuration, options)
    except ClientError as error:
        return [Setting("site", None, str(error))]
    return [
        Setting("site", site.name, site.origin),
        Setting("url", site.url, site.url_origin),
        Setting("ssl_verify", site.verify, site.verify_origin),
        _credential(site, options),
    ]


def _credential(site: Site, options: "GlobalOptions") -> Setting:
    try:
        credential = find_credential(site, options)
    except ClientError as error:
        return Setting("token", None, str(error))
    if credential is None:
        return Setting("token", None, "not logged in")
    return Setting("token", credential.secret, credential.origin, is_secret=True)
