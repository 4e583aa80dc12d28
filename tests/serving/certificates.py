"""Certificates for tests, made by the openssl program."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs openssl for certificates"
)
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path

    def replace_by(self, other: "Pair") -> None:
        """As a renewal does: one file after the other, each whole."""
        for mine, new in ((self.key, other.key), (self.cert, other.cert)):
            copy = mine.with_suffix(".new")
            shutil.copy(new, copy)
            copy.replace(mine)


class Authority:
    """Signs certificates of 127.0.0.1."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = folder / f"{name}-ca.key"
        self.ca = folder / f"{name}-ca.pem"
        files = ("-keyout", self._key, "-out", self.ca)
        _openssl("req", "-x509", *_NEW_KEY, "-days", 2, "-subj", f"/CN={name}", *files)

    def issue(self, name: str, *, days: int = 2) -> Pair:
        """A certificate and its key; with days = -1 it expired yesterday."""
        key, request, cert, names = (
            self._folder / f"{self._name}-{name}.{kind}" for kind in ("key", "csr", "pem", "txt")
        )
        names.write_text(_NAMES)
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signer = ("-CA", self.ca, "-CAkey", self._key, "-CAcreateserial")
        _openssl(
            "x509", "-req", "-in", request, *signer, "-days", days, "-extfile", names, "-out", cert
        )
        return Pair(cert, key)


def open_channel(address: str, ca: Path, own: Pair | None = None) -> grpc.Channel:
    files = [ca.read_bytes()]
    if own is not None:
        files += [own.key.read_bytes(), own.cert.read_bytes()]
    # With a pool of its own no channel goes on with a connection of another test.
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*files), options)


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
