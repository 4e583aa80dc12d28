"""Parcels by HTTP POST, to whatever server a plant has."""

import email.utils
import http.client
import ipaddress
import ssl
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wearcast.clients.edge.carriers.bodies import to_csv, to_json
from wearcast.clients.edge.carriers.carrier import PostponedError, RefusedError
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError, UnreachableError, WearcastError
from wearcast.signals.parcel import Parcel

# Answers that are about the way or the moment, and not about the parcel (RFC 9110, 6585): the
# token or the URL is wrong and a person may mend it, the receiver is busy with it, or too busy.
_PASSING = {401, 403, 404, 405, 407, 408, 409, 421, 425, 426, 429}
_CLIENT_ERRORS = range(400, 500)
_HEADER_SAFE = string.punctuation.replace("%", "")
_SHOWN = 300


class HttpSettings(BaseModel):
    """A server that takes POST requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["http"]
    url: str
    """Where to post: http:// or https://."""
    format: Literal["json", "csv"] = "json"
    """Of the bodies; see docs/delivery.md."""
    token_file: Path | None = None
    """File with a bearer token, read anew for each parcel; only for https or this machine."""
    tls_ca: Path | None = None
    """Certificate authority (PEM) of the server; not set: those that the system trusts."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    """How long connecting may take, and each pause of the server."""
    longest_pause_s: Annotated[float, Field(ge=1, le=86_400)] = 300
    """Pauses between attempts grow up to so long."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
            raise ValueError("expected http://HOST... or https://HOST...")
        if "@" in parts.netloc:
            raise ValueError("expected no user or password in it: there is token_file")
        _ = parts.port  # raises where it is none
        return url

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = urllib.parse.urlsplit(self.url)
        if self.token_file and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError("token_file: expected an https url, or this machine's")
        return self


class HttpCarrier:
    """Sends by HTTP, on a connection of its own each; proxies are those of the environment.

    Raises:
        InputError: the certificate authority can't be read.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        parts = urllib.parse.urlsplit(settings.url)
        # A query may hold what is nobody's business.
        self._shown = f"server {parts.scheme}://{parts.netloc}{parts.path}"
        try:
            context = ssl.create_default_context(cafile=settings.tls_ca)
        except OSError as error:
            raise InputError("delivery.tls_ca", "a readable file in PEM", error) from error
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _NoRedirect
        )

    def send(self, parcel: Parcel) -> None:
        """Post a parcel; returns once the server has answered 2xx.

        Raises:
            UnreachableError: it did not; the same parcel may go through later.
            RefusedError: it will never take this parcel.
        """
        request = urllib.request.Request(  # noqa: S310  # the settings allow http and https alone
            self._settings.url, _write_body(parcel, self._settings.format), self._headers(parcel)
        )
        try:
            with self._opener.open(request, timeout=self._settings.timeout_s):
                pass  # the status was 2xx; what else the server says makes no difference
        except urllib.error.HTTPError as error:
            with error:
                raise _judge(error, self._shown) from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            text = str(cause) or type(cause).__name__
            raise UnreachableError(f"{self._shown}: {text}") from error

    def close(self) -> None:
        """Nothing is kept open; a parcel that is on its way ends by its timeout."""

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json"
            if self._settings.format == "json"
            else "text/csv; charset=utf-8",
            "User-Agent": "wearcast",
            "Idempotency-Key": _to_header(parcel.key),
            "Wearcast-Asset": _to_header(parcel.asset),
            "Wearcast-Kind": parcel.kind.value,
            "Wearcast-First": format_time(parcel.first_us),
            "Wearcast-End": format_time(parcel.end_us),
            "Wearcast-Created": format_time(parcel.created_us),
            "Wearcast-Expected": str(parcel.expected),
            "Wearcast-Complete": "true" if parcel.complete else "false",
        }
        if self._settings.token_file is not None:
            headers["Authorization"] = f"Bearer {_read_token(self._settings.token_file)}"
        return headers


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is followed elsewhere becomes a GET, whose 200 would acknowledge nothing."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401
        """Make it an HTTPError."""


def _write_body(parcel: Parcel, form: Literal["json", "csv"]) -> bytes:
    try:
        return to_json(parcel) if form == "json" else to_csv(parcel)
    except WearcastError as error:
        raise RefusedError(str(error)) from error


def _judge(error: urllib.error.HTTPError, server: str) -> WearcastError:
    """What an answer other than 2xx means."""
    text = f"{server}: answered {error.code} {error.reason}"
    if shown := _read_start(error):
        text = f"{text}: {shown}"
    if error.code in _CLIENT_ERRORS and error.code not in _PASSING:
        return RefusedError(text)
    after_s = _read_pause_s(error.headers.get("Retry-After", ""))
    return PostponedError(text, after_s) if after_s is not None else UnreachableError(text)


def _read_start(error: urllib.error.HTTPError) -> str:
    """The beginning of the body, on one line."""
    try:
        body = error.read(_SHOWN).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
    return " ".join("".join(item if item.isprintable() else " " for item in body).split())


def _read_pause_s(text: str) -> float | None:
    """Seconds of a Retry-After header: a number, or a date (RFC 9110, 10.2.3); None: neither."""
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # it says -0000
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - time.time())


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            f"delivery.token_file: expected a readable file, got {error}"
        ) from error
    if not token or not token.isprintable():
        raise UnreachableError(f"delivery.token_file: expected one line, got {path}")
    return token


def _to_header(text: str) -> str:
    """Text as ASCII; what a header can't say as %XX of its UTF-8 bytes."""
    return urllib.parse.quote(text, safe=_HEADER_SAFE)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
