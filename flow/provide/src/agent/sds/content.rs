//! When two secrets are the same for an Envoy, and by what it knows one again.

use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use finial_identity::Bundle;
use finial_wire::SecretContent;

use crate::agent::workload_api::views::{same_bundles, same_x509};

/// How much of a digest is a version, in bytes.
const VERSION_LENGTH: usize = 16;

/// Whether an Envoy that has the one needs the other.
pub(super) fn is_same(one: &SecretContent, other: &SecretContent) -> bool {
    let same = |one: &[Arc<Bundle>], other: &[Arc<Bundle>]| same_bundles(one, other, same_x509);
    match (one, other) {
        (SecretContent::Credential(one), SecretContent::Credential(other)) => Arc::ptr_eq(one, other),
        (SecretContent::Spiffe(one), SecretContent::Spiffe(other)) => same(one, other),
        (SecretContent::Authorities(one), SecretContent::Authorities(other)) => {
            same(std::slice::from_ref(one), std::slice::from_ref(other))
        }
        (SecretContent::Nobody(_), SecretContent::Nobody(_)) => true,
        _ => false,
    }
}

/// Tells a content from every other, also after the agent was started again: a digest of the certificates, never of a
/// key.
pub(super) fn version(content: &SecretContent) -> String {
    let mut parts = Parts(Context::new(&SHA256));
    match content {
        SecretContent::Credential(credential) => {
            parts.add(b"credential");
            parts.add(&credential.svid().chain_der());
        }
        SecretContent::Spiffe(bundles) => {
            parts.add(b"spiffe");
            bundles.iter().for_each(|bundle| parts.add_bundle(bundle));
        }
        SecretContent::Authorities(bundle) => {
            parts.add(b"authorities");
            parts.add_bundle(bundle);
        }
        SecretContent::Nobody(_) => parts.add(b"nobody"),
    }
    let digest = parts.0.finish();
    digest.as_ref()[..VERSION_LENGTH].iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a digest is made of, each part with its length.
struct Parts(Context);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.update(&part.len().to_be_bytes());
        self.0.update(part);
    }

    fn add_bundle(&mut self, bundle: &Bundle) {
        self.add(bundle.trust_domain.name().as_bytes());
        self.add(&bundle.x509_der());
    }
}

#[cfg(test)]
mod tests;
