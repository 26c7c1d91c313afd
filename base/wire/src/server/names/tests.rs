//! Names of services and methods, as SPIRE tells them.

use super::*;

#[test]
fn names_are_spires() {
    for (path, key) in [
        ("/spire.api.server.agent.v1.Agent/AttestAgent", "rpc.agent.v1.agent.attest_agent"),
        ("/spire.api.server.svid.v1.SVID/BatchNewX509SVID", "rpc.svid.v1.svid.batch_new_x509svid"),
        ("/spire.api.server.svid.v1.SVID/NewJWTSVID", "rpc.svid.v1.svid.new_jwtsvid"),
        (
            "/spire.api.server.bundle.v1.Bundle/PublishJWTAuthority",
            "rpc.bundle.v1.bundle.publish_jwt_authority",
        ),
        (
            "/spire.api.server.localauthority.v1.LocalAuthority/GetX509AuthorityState",
            "rpc.localauthority.v1.local_authority.get_x509_authority_state",
        ),
        (
            "/spire.api.server.trustdomain.v1.TrustDomain/RefreshBundle",
            "rpc.trustdomain.v1.trust_domain.refresh_bundle",
        ),
        ("/SpiffeWorkloadAPI/FetchX509SVID", "rpc.workload_api.fetch_x509svid"),
        ("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", "rpc.sds.v3.stream_secrets"),
        ("/spire.agent.debug.v1.Debug/GetInfo", "rpc.debug.v1.debug.get_info"),
        ("/grpc.health.v1.Health/Check", "rpc.grpc.health.v1.health.check"),
        ("/finial.agent.v1.Changes/Watch", "rpc.finial.agent.v1.changes.watch"),
    ] {
        assert_eq!(metric_key(path), key);
    }
    assert_eq!(
        service_and_method("/spire.api.server.agent.v1.Agent/AttestAgent"),
        ("agent.v1.Agent", "AttestAgent")
    );
}
