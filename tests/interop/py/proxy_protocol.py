"""A server that reads a PROXY protocol header of version 2 by the package proxy-protocol, and answers what is in it.

proxy_protocol.py HOST:PORT
"""

import json
import socket
import sys

from proxyprotocol import ProxyProtocolIncompleteError
from proxyprotocol.v2 import ProxyProtocolV2

PARSER = ProxyProtocolV2()
CLIENT_CERTIFICATE = 0x28


def header(connection):
    data = b""
    while True:
        try:
            return PARSER.unpack(data)
        except ProxyProtocolIncompleteError as missing:
            part = connection.recv(missing.want_read.want_bytes)
            assert part, "the header is cut off"
            data += part


def told(result):
    """The addresses, and what was added to them."""
    tlv, ssl = result.tlv, result.tlv.ssl
    certificate = ssl.get(CLIENT_CERTIFICATE) if ssl else None
    return {
        "source": str(result.source[0]),
        "dest": list(map(str, result.dest)),
        "authority": tlv.authority,
        "has_ssl": bool(ssl and ssl.has_ssl),
        "verified": bool(ssl and ssl.has_ssl and ssl.verified),
        "has_cert": bool(ssl and ssl.has_cert_conn),
        "version": ssl.version if ssl else None,
        "cn": ssl.cn if ssl else None,
        "certificate": certificate.hex() if certificate else None,
    }


host, port = sys.argv[1].split(":")
with socket.create_server((host, int(port))) as listener:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            try:
                answer = told(header(connection))
                connection.recv(4096)
            except AssertionError:
                continue
            body = json.dumps(answer)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body.encode())
