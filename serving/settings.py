"""Settings of the server: a flag wins over the environment, that over the TOML file."""

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

_URL = re.compile(r"https?://[^/\s]+:\d{1,5}/?")
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
    tls_client_ca: Path | None = None
    """Authorities in PEM; clients need a certificate that one of them signed."""
    tokens: Path | None = None
    """File of bearer tokens (docs/security.md); not set: everyone who can connect may do all."""
    reflection: bool = True
    """Tell clients such as grpcurl which methods there are."""
    insecure: bool = False
    """Listen on an address other than loopback without TLS."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads that run models."""
    waiting: int = Field(1024, ge=0)
    """Rows of calls that may wait for a worker, of each model; more get RESOURCE_EXHAUSTED."""
    watch_s: float = Field(2.0, ge=0)
    """How often models_dir is looked at for changes, in seconds; 0: never."""
    max_message_bytes: int = Field(16 * 2**20, ge=2**16)
    """Largest message a client may send."""
    max_connections: int = Field(4096, ge=1)
    """Connections that may be open; one more is closed before anything is read of it."""
    max_streams: int = Field(2048, ge=1)
    """Streams that may be open; one more gets RESOURCE_EXHAUSTED."""
    max_streams_per_connection: int = Field(1024, ge=1)
    """The same of one connection."""
    drain_s: float = Field(10.0, ge=0)
    """How long streams may take to end after SIGTERM."""
    metrics_listen: str | None = None
    """HOST:PORT of metrics for Prometheus, plain HTTP; not set: none. Port 0 takes a free one."""
    metrics_assets: int = Field(1000, ge=0)
    """Series of assets in the metrics, those that were answered last."""
    traces_endpoint: str | None = None
    """http://HOST:PORT or https://HOST:PORT of a collector that takes OTLP over gRPC; not set: no
    traces."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""
    log_calls: bool = False
    """Log each call that ends: its method, code and duration."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host, int(port)

    @model_validator(mode="after")
    def _check(self) -> Self:
        host = _check_address("listen", self.listen)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert, tls_key: expected both or neither, got one")
        if self.tls_client_ca and not self.tls_cert:
            raise ValueError("tls_client_ca: expected tls_cert and tls_key too, got neither")
        if not (_is_loopback(host) or self.tls_cert or self.insecure):
            raise ValueError(
                f"listen: expected a loopback address, or TLS, or insecure, got {self.listen!r}"
            )
        if self.metrics_listen is not None:
            host = _check_address("metrics_listen", self.metrics_listen)
            if not (_is_loopback(host) or self.insecure):
                expected = "a loopback address, or insecure"
                raise ValueError(
                    f"metrics_listen: expected {expected}, got {self.metrics_listen!r}"
                )
        endpoint = self.traces_endpoint
        if endpoint is not None and not _URL.fullmatch(endpoint):
            raise ValueError(
                f"traces_endpoint: expected http:// or https:// and HOST:PORT, got {endpoint!r}"
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


def _check_address(field: str, address: str) -> str:
    """The host of HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError(f"{field}: expected HOST:PORT, got {address!r}")
    return host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
