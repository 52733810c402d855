"""Why a connection that failed may have failed: one look at what speaks there, TLS or not, and with which certificate.

gRPC says that a connection failed, and of several addresses only what the last one did. So the command looks itself;
it sends nothing but the greeting of TLS, and only after a call failed.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

from authsvc.cli.target import Server

SECONDS: Final = 2.0
"""How long a look takes at most, at each step."""

_HOST_AND_PORT = re.compile(r"(?:dns:(?:///)?)?(?:\[([0-9A-Fa-f:.]+)\]|([^][:/,%@]+)):(\d{1,5})", re.ASCII)
# X509_V_ERR_…: who signed it is not known, it is out of date, it is for another name or address.
_UNKNOWN_CA: Final = frozenset({2, 18, 19, 20, 21})
_OUT_OF_DATE: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})
_WANTS_A_CERTIFICATE: Final = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA")
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def tls_fault(server: Server, *, plaintext: bool) -> str | None:
    """What is wrong about TLS with a server and what would help, said of it; None where nothing is seen to be.

    ``plaintext``: it was spoken to without TLS.
    """
    parts = _HOST_AND_PORT.fullmatch(server.target)
    if parts is None:  # a socket of this machine, several places: not looked at
        return None
    place = (parts[1] or parts[2], int(parts[3]))
    try:
        return _fault_of_plaintext(place) if plaintext else _fault_of_tls(place, server)
    except (OSError, ValueError, OverflowError):
        return None


def _fault_of_plaintext(place: tuple[str, int]) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # not to trust it, only to see that it is TLS
    try:
        _shake_hands(place, context)
    except ssl.SSLError as fault:
        if not _names(fault, _WANTS_A_CERTIFICATE):
            return None
    return (
        "speaks TLS and was spoken to in plaintext: unset AUTHSVC_ALLOW_PLAINTEXT; on loopback AUTHSVC_TLS_CA asks for "
        "TLS, and names the PEM file of the CA that its certificate leads to"
    )


def _fault_of_tls(place: tuple[str, int], server: Server) -> str | None:
    context = ssl.create_default_context(cafile=server.roots)
    if server.certificate:
        context.load_cert_chain(server.certificate, server.key)
    try:
        goes_on = _shake_hands(place, context)
    except ssl.SSLCertVerificationError as fault:
        return _fault_of_certificate(fault, place[0], server.roots)
    except ssl.SSLError as fault:
        if _names(fault, _NO_TLS):
            return (
                "speaks plaintext and was spoken to by TLS: unset AUTHSVC_TLS_CA and AUTHSVC_CLIENT_CERT; beyond "
                "loopback, where a proxy or a mesh encrypts, set AUTHSVC_ALLOW_PLAINTEXT=true"
            )
        goes_on = not _names(fault, _WANTS_A_CERTIFICATE)
    if goes_on:
        return None
    return (
        "hangs up once it was greeted, as servers do that want a client's certificate of a CA that they know: set "
        "AUTHSVC_CLIENT_CERT and AUTHSVC_CLIENT_KEY"
    )


def _fault_of_certificate(fault: ssl.SSLCertVerificationError, host: str, roots: str | None) -> str:
    code, why = fault.verify_code, fault.verify_message
    if code in _OTHER_NAME:
        return f"shows a certificate for another host than {host}: in AUTHSVC_TARGET use a name the certificate holds"
    if code in _UNKNOWN_CA:
        known = f"is not among those in {roots}" if roots else "is not one the system knows"
        return f"shows a certificate whose CA {known}: AUTHSVC_TLS_CA names the PEM file of the CA"
    if code in _OUT_OF_DATE:
        return f"shows a certificate that is out of date ({why}): it has to be renewed, or a clock is wrong"
    return f"shows a certificate that cannot be trusted ({why})"


def _shake_hands(place: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Whether the other side goes on after the greeting; raises ``OSError``, of which ``ssl.SSLError`` is one."""
    context.set_alpn_protocols(["h2"])  # gRPC speaks with nobody who does not
    with (
        socket.create_connection(place, timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as wrapped,
    ):
        try:
            # With TLS 1.3 it is only now that a missing certificate is refused.
            return bool(wrapped.recv(1))
        except (ConnectionError, ssl.SSLEOFError):
            return False


def _names(fault: ssl.SSLError, reasons: tuple[str, ...]) -> bool:
    return any(reason in (fault.reason or "") for reason in reasons)
