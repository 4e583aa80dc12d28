"""Settings of the server: a flag wins over the environment, that over the TOML file."""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

DEFAULT_LISTEN = "127.0.0.1:8561"


class Settings(BaseSettings):
    """Each field is also an environment variable, WEARCAST_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="WEARCAST_", frozen=True, extra="forbid")

    models_dir: Path | None = None
    """Folder holding NAME/VERSION/; not set: the bundled models."""
    listen: str = DEFAULT_LISTEN
    """HOST:PORT; port 0 takes a free one."""
    store: Path | None = None
    """SQLite file of estimates and parcels; not set: the newest 2,000 estimates of each asset, in
    memory, and no parcels."""
    tls_cert: Path | None = None
    """Certificate chain in PEM."""
    tls_key: Path | None = None
    """Private key in PEM."""
    insecure: bool = False
    """Listen on an address other than loopback without TLS."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads that run models."""
    waiting: int = Field(1024, ge=0)
    """Batches that may wait for a worker; more get RESOURCE_EXHAUSTED."""
    max_message_bytes: int = Field(16 * 2**20, ge=2**16)
    """Largest message a client may send."""
    drain_s: float = Field(10.0, ge=0)
    """How long streams may take to end after SIGTERM."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host, int(port)

    @model_validator(mode="after")
    def _check(self) -> Self:
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004
            raise ValueError(f"listen: expected HOST:PORT, got {self.listen!r}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert, tls_key: expected both or neither, got one")
        if not (_is_loopback(host) or self.tls_cert or self.insecure):
            raise ValueError(
                f"listen: expected a loopback address, or TLS, or insecure, got {self.listen!r}"
            )
        return self


def load_settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Settings from flags, the environment and a TOML file; flags that are None count as not given.

    Raises:
        ValueError: a value is not what it should be; each is named.
    """
    table = {}
    if config is not None:
        try:
            table = tomllib.loads(config.read_text())
        except OSError as error:
            raise ValueError(f"{config}: expected a readable file, got {error.strerror}") from error

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, table)

    try:
        return Layered(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ValueError("; ".join(_explain(item) for item in error.errors())) from error


def _explain(item: Any) -> str:  # noqa: ANN401
    text = str(item["msg"]).removeprefix("Value error, ")
    field = ".".join(str(part) for part in item["loc"])
    return f"{field}: {text}, got {item['input']!r}" if field else text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
