"""What py-spiffe makes of a corpus: its X509Svid of the document, its TLS package of a peer that presents it.

judge.py CORPUS    prints the versions of both, and the verdict of each on every case, as JSON
"""

import json
import logging
import sys
from datetime import datetime
from importlib.metadata import version

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL, crypto
from spiffe import X509Svid
from spiffetls.context import create_ssl_context
from spiffetls.tlsconfig.authorize import authorize_any

logging.disable(logging.CRITICAL)
ANY_KEY = ec.generate_private_key(ec.SECP256R1())
ANY_KEY_PEM = ANY_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Bundle:
    def __init__(self, authorities):
        self.x509_authorities = authorities


class Source:
    """As much of an X509Source as the TLS package asks for: an SVID of its own, and the anchors of the case."""

    def __init__(self, own, authorities):
        self.svid = own
        self.bundles = [Bundle(authorities)]

    def subscribe_for_updates(self, callback):
        pass


class Svid:
    def __init__(self, leaf, key):
        self.leaf, self.cert_chain, self.private_key = leaf, [leaf], key


def own():
    """Something for the verifier to present itself; nobody looks at it."""
    name = x509.Name([])
    start, end = datetime(2020, 1, 1), datetime(2040, 1, 1)
    builder = x509.CertificateBuilder(name, name, ANY_KEY.public_key(), 1, start, end)
    from cryptography.hazmat.primitives import hashes

    return Svid(builder.sign(ANY_KEY, hashes.SHA256()), ANY_KEY)


OWN = own()


def document(case):
    """Whether X509Svid reads it. Who signed it does not matter to it, nor the key."""
    chain = "".join([case["peer_certificate"], *case["untrusted_intermediates"]])
    try:
        X509Svid.parse(chain.encode(), ANY_KEY_PEM)
    except Exception:
        return "FAILURE"
    return "SUCCESS"


def handshake(case):
    """Whether the other side of a handshake accepts it; None without the leaf's key."""
    if case["peer_certificate_key"] is None:
        return None
    is_server = case["validation_kind"] == "SERVER"
    try:
        authorities = [x509.load_pem_x509_certificate(text.encode()) for text in case["trusted_certs"]]
        method = SSL.TLS_CLIENT_METHOD if is_server else SSL.TLS_SERVER_METHOD
        verifier = create_ssl_context(method, Source(OWN, authorities), authorize_any())
        at = datetime.fromisoformat(case["validation_time"]).replace(tzinfo=None)
        verifier.get_cert_store().set_time(at)
        presenter = SSL.Context(SSL.TLS_SERVER_METHOD if is_server else SSL.TLS_CLIENT_METHOD)
        load = lambda text: crypto.load_certificate(crypto.FILETYPE_PEM, text.encode())
        presenter.use_certificate(load(case["peer_certificate"]))
        presenter.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, case["peer_certificate_key"].encode()))
        for text in case["untrusted_intermediates"]:
            presenter.add_extra_chain_cert(load(text))
        presenter.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        ours, theirs = SSL.Connection(verifier, None), SSL.Connection(presenter, None)
        client, server = (ours, theirs) if is_server else (theirs, ours)
        client.set_connect_state()
        server.set_accept_state()
        shake(client, server)
        return "SUCCESS" if shaken(ours) else "FAILURE"
    except Exception:
        return "FAILURE"


def shaken(connection):
    return connection.get_state_string() == b"SSL negotiation finished successfully"


def shake(*sides):
    """Carries bytes between both until neither has any."""
    for _ in range(20):
        for side in sides:
            try:
                side.do_handshake()
            except SSL.WantReadError:
                pass
        for side, other in (sides, sides[::-1]):
            try:
                other.bio_write(side.bio_read(1 << 20))
            except SSL.WantReadError:
                pass
        if all(map(shaken, sides)):
            return


with open(sys.argv[1]) as corpus:
    cases = json.load(corpus)["testcases"]
verdicts = {case["id"]: {"document": document(case), "handshake": handshake(case)} for case in cases}
answer = {"spiffe": version("spiffe"), "spiffe_tls": version("spiffe-tls"), "verdicts": verdicts}
print(json.dumps(answer))
