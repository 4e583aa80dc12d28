"""Certificates of the server and, for mTLS, of those who may sign its clients'.

Each handshake takes what the files hold then; connections that are open stay as they are.
"""

import ssl
from pathlib import Path

import grpc

from wearcast.serving.security.watched import Watched, read_files
from wearcast.signals.errors import InputError


def make_credentials(
    cert: Path, key: Path, client_ca: Path | None = None
) -> grpc.ServerCredentials:
    """Credentials of a listening port.

    cert: certificate chain, the server's own first; key: its private key, without a password;
    client_ca: authorities (a client needs a certificate that one of them signed). All are PEM.

    Raises:
        InputError: a file can't be read, is no PEM, or key and certificate don't fit.
    """
    paths = {"tls_cert": cert, "tls_key": key}
    if client_ca is not None:
        paths["tls_client_ca"] = client_ca

    def make(contents: dict[str, bytes]) -> grpc.ServerCertificateConfiguration:
        _check_pair(cert, key)
        authority = contents.get("tls_client_ca")
        if authority is not None:
            _check_authority(authority)
        # The check reads the files itself. A renewal may fall in between, and it may have come to
        # only one of the two files.
        if read_files(paths) != contents:
            raise InputError("tls_cert, tls_key", "files at rest", "one that is being written")
        pair = (contents["tls_key"], contents["tls_cert"])
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=authority)

    watched = Watched(paths, make)
    in_use = watched.get()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_use
        newest = watched.get()
        if newest is in_use:
            return None
        in_use = newest
        return newest

    return grpc.dynamic_ssl_server_credentials(
        in_use, fetch, require_client_authentication=client_ca is not None
    )


def _check_pair(cert: Path, key: Path) -> None:
    # gRPC itself says nothing of a wrong pair; every handshake would fail.
    try:
        # A password, so that nothing asks for one at a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        expected = "a certificate and its private key in PEM, without a password"
        got = f"{cert}, {key}: {_explain(error)}"
        raise InputError("tls_cert, tls_key", expected, got) from error


def _check_authority(pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem.decode("ascii"))
    except (OSError, ValueError) as error:
        raise InputError("tls_client_ca", "certificates in PEM", _explain(error)) from error


def _explain(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
