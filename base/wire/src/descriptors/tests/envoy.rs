//! Our descriptors of Envoy's Secret Discovery Service against those of the Python package xds-protos.

use super::sdk::{described, listed};
use crate::SECRET_DESCRIPTORS;

/// What that package has, of the messages that we have.
const ENVOY: &str = include_str!("../envoy-xds-protos-1.85.0.txt");

#[test]
fn every_name_number_and_type_is_envoys() {
    let (ours, theirs) = (described(SECRET_DESCRIPTORS, "envoy."), listed(ENVOY));
    // The other way round there is much that we neither read nor write.
    let surplus: Vec<_> = ours.difference(&theirs).collect();
    assert!(surplus.is_empty(), "{surplus:#?}");
    assert!(ours.len() > 50, "{}", ours.len());
}

#[test]
fn what_is_written_is_what_envoy_reads() {
    let theirs = listed(ENVOY);
    for fact in [
        "message envoy.extensions.transport_sockets.tls.v3.Secret: \
         validation_context 4 oneof type envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext",
        "service envoy.service.secret.v3.SecretDiscoveryService: StreamSecrets \
         stream envoy.service.discovery.v3.DiscoveryRequest -> stream envoy.service.discovery.v3.DiscoveryResponse",
    ] {
        assert!(theirs.contains(fact), "{fact}");
    }
}
