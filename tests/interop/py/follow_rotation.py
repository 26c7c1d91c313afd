"""Holds an X509Source of py-spiffe open and waits for the callback that brings a certificate of another authority."""

import sys
import threading

from spiffe import SpiffeId, TrustDomain, X509Source

TIMEOUT = 15
DOMAIN = TrustDomain("example.org")


def authorities(source):
    return set(source.get_bundle_for_trust_domain(DOMAIN).x509_authorities)


with X509Source(timeout_in_seconds=TIMEOUT) as source:
    updated = threading.Event()
    source.subscribe_for_updates(updated.set)
    first, old = source.get_x509_context().default_svid, authorities(source)
    print("READY")
    # Several updates come: the new authority in the bundle, the new certificate, the old authority gone.
    while updated.wait(TIMEOUT):
        updated.clear()
        svid = source.get_x509_context().default_svid
        if svid.leaf.serial_number != first.leaf.serial_number and not old & authorities(source):
            assert svid.spiffe_id == first.spiffe_id == SpiffeId(sys.argv[1])
            print("ROTATED")
            sys.exit(0)
sys.exit("no callback brought a certificate of another authority")
