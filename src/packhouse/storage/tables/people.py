"""Tables of people: users, their tokens, and the log-ins that are under way."""

from sqlalchemy import JSON, Column, ForeignKey, LargeBinary, String, Table

from packhouse.storage.tables.columns import NEVER_REUSED, Id, Moment, key, metadata

user = Table(
    "user",
    metadata,
    key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("username", String(100), nullable=False, unique=True),
    Column("email", String(320)),
    Column("password_hash", String(255)),
    Column("role", String(20), nullable=False),
    Column("default_channel_id", Id),  # no foreign key: channels refer to users already
    Column("created_at", Moment, nullable=False),
    Column("sessions_valid_from", Moment, nullable=False),  # a changed password ends older sessions
    sqlite_autoincrement=NEVER_REUSED,
)

token = Table(
    "token",
    metadata,
    key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret, never the secret
    Column("scopes", JSON(none_as_null=True)),
    Column("resources", JSON(none_as_null=True)),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    sqlite_autoincrement=NEVER_REUSED,
)

device_login = Table(
    "device_login",
    metadata,
    key(),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the device code, never the code
    Column("user_code", String(20), nullable=False, unique=True),
    Column("client_id", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE")),  # who approved it
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("asked_at", Moment),  # when the device last asked; one that asks too often is told so
    Column("host", String(100)),  # what the device calls itself
    Column("address", String(45)),  # where it asked from
    sqlite_autoincrement=NEVER_REUSED,
)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the code and of all that it is bound to
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)

secret = Table(
    "secret",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
