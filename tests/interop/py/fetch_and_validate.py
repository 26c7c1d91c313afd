"""Takes SVIDs and bundles of both kinds by py-spiffe, and lets it judge them. Argument: the expected SPIFFE ID."""

import sys

from spiffe import JwtSource, JwtSvid, SpiffeId, TrustDomain, WorkloadApiClient, X509Source

TIMEOUT = 10
DOMAIN = TrustDomain("example.org")
EXPECTED = SpiffeId(sys.argv[1])


def refuses(what, call):
    """What py-spiffe, or the agent through it, must not accept."""
    try:
        call()
    except Exception as error:  # the kinds differ with the place that refuses
        print(f"refused {what}: {type(error).__name__}: {error}")
    else:
        sys.exit(f"{what} was accepted")


def x509(client):
    svid = client.fetch_x509_svid()
    assert svid.spiffe_id == EXPECTED, svid.spiffe_id
    assert [s.spiffe_id for s in client.fetch_x509_svids()] == [EXPECTED]
    assert client.fetch_x509_bundles().get_bundle_for_trust_domain(DOMAIN).x509_authorities
    with X509Source(timeout_in_seconds=TIMEOUT) as source:
        context = source.get_x509_context()
        assert context.default_svid.spiffe_id == EXPECTED
        bundle = source.get_bundle_for_trust_domain(DOMAIN)
        issuers = {authority.subject for authority in bundle.x509_authorities}
        assert context.default_svid.cert_chain[-1].issuer in issuers


def jwt(client):
    with JwtSource(timeout_in_seconds=TIMEOUT) as source:
        svid = source.fetch_svid(audience={"accounts"}, timeout=TIMEOUT)
        assert svid.spiffe_id == EXPECTED and svid.audience == {"accounts"}, svid
        bundle = source.get_bundle_for_trust_domain(DOMAIN)
        assert JwtSvid.parse_and_validate(svid.token, bundle, {"accounts"}).spiffe_id == EXPECTED
        refuses("a foreign audience", lambda: JwtSvid.parse_and_validate(svid.token, bundle, {"payroll"}))
    assert client.fetch_jwt_bundles().get_bundle_for_trust_domain(DOMAIN).jwt_authorities
    assert client.fetch_jwt_svid(audience={"accounts"}, subject=EXPECTED).spiffe_id == EXPECTED
    assert client.validate_jwt_svid(svid.token, "accounts").spiffe_id == EXPECTED
    refuses("a foreign audience by the agent", lambda: client.validate_jwt_svid(svid.token, "payroll"))
    header, payload, signature = svid.token.split(".")
    forged = ".".join([header, payload, ("B" if signature[0] == "A" else "A") + signature[1:]])
    refuses("a forged signature by the agent", lambda: client.validate_jwt_svid(forged, "accounts"))
    other = SpiffeId("spiffe://example.org/somebody-else")
    refuses("a subject of somebody else", lambda: client.fetch_jwt_svid(audience={"accounts"}, subject=other))


with WorkloadApiClient(default_timeout=TIMEOUT) as client:
    x509(client)
    jwt(client)
print("ALL DONE")
