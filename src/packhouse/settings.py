"""Every setting: its type, its default and one sentence.

Each is a key of `packhouse.toml`, an environment variable `PACKHOUSE_<NAME>`, and, for the
common ones, an option of `packhouse serve`. Options win over the environment, which wins over the file.
"""

import os
import socket
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from packhouse.errors import Invalid


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PACKHOUSE_", extra="forbid", frozen=True)

    data_dir: Path = Field(Path("packhouse-data"), description="Folder of databases, blobs and certificates.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port for plain HTTP.")
    tls: bool = Field(True, description="Listen with TLS too; `anaconda login` speaks nothing else.")
    tls_port: int = Field(8443, ge=0, le=65535, description="Port for HTTPS.")
    tls_names: list[str] = Field(
        default=["localhost", "127.0.0.1"],
        description="Host names and addresses in the certificate that the local CA signs.",
    )
    tls_cert: Path | None = Field(None, description="Own certificate chain (PEM) in place of the local CA's.")
    tls_key: Path | None = Field(None, description="Private key (PEM) of `tls_cert`.")
    public_url: str | None = Field(
        None, description="Address that clients use, when a proxy stands in front; else the request's own."
    )

    database_url: str | None = Field(
        None, description="`postgresql://...`; left out, SQLite files in `data_dir`."
    )
    blob_url: str | None = Field(None, description="`s3://bucket/prefix`; left out, `data_dir`/blobs.")
    blob_options: dict[str, str] = Field(
        default={}, description="Options of the object store: endpoint, region, access_key_id, ..."
    )
    redirect_downloads: bool = Field(
        False, description="Answer file requests with a signed address of the object store, where it has one."
    )

    worker: bool = Field(
        True, description="Run jobs in this process (`--no-worker` leaves them to `worker`)."
    )
    worker_name: str = Field(
        default_factory=socket.gethostname,
        description="Name of this process among those that run jobs; two at a time must not share one.",
    )
    admin_password: SecretStr | None = Field(
        None, description="Password of the first `admin`; left out, one is made and printed once."
    )
    login_minutes: int = Field(60, ge=1, description="Life of the session that a log-in with password opens.")
    api_key_days: int = Field(
        90, ge=1, le=365, description="Life of the key that `anaconda login` keeps on a machine."
    )
    max_upload_bytes: int = Field(8 * 1024**3, ge=1, description="Largest package file taken, in bytes.")
    max_upload_seconds: int = Field(3600, ge=1, description="Longest time one upload may take.")
    max_open_uploads: int = Field(
        100, ge=1, description="Most uploads in parts that one user may have open at a time."
    )
    upload_hours: int = Field(
        24,
        ge=1,
        le=8760,
        description="How long an upload in parts waits for its next part before it is given up.",
    )
    download_seconds: int = Field(5, ge=1, description="How often download counts are written.")
    sweep_minutes: int = Field(10, ge=1, description="How often stale indexes and orphaned blobs are sought.")
    orphan_minutes: int = Field(60, ge=1, description="Age at which a blob nobody refers to is removed.")
    shard_days: int = Field(
        7, ge=0, description="How long a replaced shard stays for clients with an old index."
    )

    allow_private_upstreams: bool = Field(
        False, description="Mirror from private, loopback and link-local addresses too, not only public ones."
    )
    allowed_upstreams: list[str] = Field(
        default=[],
        description="Hosts that mirrors may ask, `*.example.org` for all below one; empty: every public host.",
    )
    allowed_proxies: list[str] = Field(
        default=[],
        description="Proxies of mirrors, HOST or HOST:PORT, that may have private addresses; "
        "`HTTP_PROXY` and its like are never read.",
    )
    file_upstreams: list[Path] = Field(
        default=[],
        description="Folders that mirrors may read as `file://`; symlinks may not lead out of them.",
    )
    upstream_connections: int = Field(
        16, ge=1, le=256, description="Most connections to one upstream host at a time."
    )
    upstream_timeout_seconds: float = Field(
        30, gt=0, description="How long an upstream may send nothing before the request is tried again."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for programs.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, env_settings, file

    @property
    def effective_database_url(self) -> str:
        """The URL as SQLAlchemy wants it: SQLite in `data_dir` unless set, psycopg for PostgreSQL."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir.absolute() / 'packhouse.db'}"
        return _with_psycopg(self.database_url)

    @property
    def jobs_database_url(self) -> str:
        """The jobs' tables: a schema of the same PostgreSQL, or a second SQLite file beside the first."""
        url = self.effective_database_url
        if not url.startswith("sqlite"):
            return url
        return f"sqlite:///{Path(url.removeprefix('sqlite:///')).with_name('jobs.db')}"

    @property
    def effective_blob_url(self) -> str:
        return self.blob_url or str(self.data_dir.absolute() / "blobs")


def config_file() -> Path:
    return Path(os.environ.get("PACKHOUSE_CONFIG", "packhouse.toml"))


def load_settings(**options: Any) -> Settings:
    """Settings from options, environment and file; `Invalid` names the first one that is wrong."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except TOMLDecodeError as error:
        raise Invalid(f"The file '{config_file()}' is no valid TOML: {error}.") from error
    except SettingsError as error:  # a list or table in the environment that is not JSON
        raise Invalid(f"The environment is not understood: {error}. Write the value in JSON.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise Invalid(f"Setting '{name}': {problem['msg']}") from error


def _with_psycopg(url: str) -> str:
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url
