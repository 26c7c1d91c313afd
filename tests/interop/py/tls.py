"""py-spiffe's TLS package on either side.

tls.py dial HOST:PORT ID    prints what the server with that SPIFFE ID answers to GET /
tls.py serve HOST:PORT ID   answers every caller with that SPIFFE ID by HTTP, in the words of the standard input
"""

import sys

from cryptography.x509 import UniformResourceIdentifier
from cryptography.x509.oid import ExtensionOID
from OpenSSL import SSL
from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, ServerTlsMode, dial, listen

TIMEOUT = 15
command, address, expected = sys.argv[1:]


def is_expected(certificate):
    extensions = certificate.to_cryptography().extensions
    names = extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    return names.get_values_for_type(UniformResourceIdentifier) == [str(SpiffeId(expected))]


def answer(connection):
    """All that comes, to the orderly end."""
    parts = []
    while True:
        try:
            part = connection.recv(4096)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return b"".join(parts)
        if not part:
            return b"".join(parts)
        parts.append(part)


with X509Source(timeout_in_seconds=TIMEOUT) as source:
    if command == "dial":
        connection = dial(address, source, authorize_fn=is_expected)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        print(answer(connection).decode())
    else:
        greeting = sys.stdin.readline().encode()
        listener = listen(address, source, ListenOptions(ServerTlsMode.MTLS, is_expected))
        print("READY")
        while True:
            connection, _ = listener.accept()
            try:
                connection.do_handshake()
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + greeting)
                connection.shutdown()
            except SSL.Error as error:
                print("refused", error)
            connection.close()
