//! The fields that tell a backend who the caller is, and the care that nobody else sets them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use rustls_pki_types::CertificateDer;

use crate::side::AnyPeer;

const SPIFFE_ID: HeaderName = HeaderName::from_static("x-spiffe-id");
/// RFC 9440, section 2.2.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// RFC 9440, section 2.3. Never told, and so that nobody believes a caller's, never passed on.
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Fields of the proxy's own; a caller's are dropped.
const OURS: [HeaderName; 3] = [SPIFFE_ID, CLIENT_CERT, CLIENT_CERT_CHAIN];
/// Fields that say where a message ends or goes to. What only looks like them is dropped.
const DECISIVE: [HeaderName; 5] = [CONTENT_LENGTH, TRANSFER_ENCODING, HOST, CONNECTION, UPGRADE];

/// What a backend is told of one verified caller, with every request.
#[derive(Debug)]
pub(super) struct IdentityFields {
    /// Of a SPIFFE peer only: what another PKI says of a SPIFFE ID is nothing.
    spiffe_id: Option<HeaderValue>,
    certificate: Option<HeaderValue>,
}

impl IdentityFields {
    pub(super) fn of(peer: &AnyPeer) -> Self {
        match peer {
            AnyPeer::Spiffe(peer) => Self {
                spiffe_id: Some(value(peer.spiffe_id().as_str())),
                certificate: Some(byte_sequence(peer.svid().leaf())),
            },
            AnyPeer::Web(peer) => {
                let leaf = peer.chain().chain().first();
                Self { spiffe_id: None, certificate: leaf.map(byte_sequence) }
            }
            AnyPeer::Pinned(_) | AnyPeer::Nobody => Self { spiffe_id: None, certificate: None },
        }
    }

    /// In place of whatever the caller said under these names.
    pub(super) fn put(&self, headers: &mut HeaderMap) {
        strip(headers);
        let fields = [(SPIFFE_ID, &self.spiffe_id), (CLIENT_CERT, &self.certificate)];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// Removes the fields that are the proxy's own, those that a backend may take for them, and those that it may take for
/// fields which frame a message.
pub(super) fn strip(headers: &mut HeaderMap) {
    let suspects: Vec<_> = headers.keys().filter(|name| is_suspect(name)).cloned().collect();
    for name in suspects {
        headers.remove(name);
    }
}

/// Whether a caller may not say this to a backend.
pub(super) fn is_suspect(name: &HeaderName) -> bool {
    let looks_like = |known: &HeaderName| looks_like(name.as_str(), known.as_str());
    OURS.iter().any(looks_like) || DECISIVE.iter().any(|known| name != known && looks_like(known))
}

/// CGI and its heirs (WSGI, Rack, PHP) read `-`, `_` and, some of them, any other sign of a name as one.
fn looks_like(name: &str, known: &str) -> bool {
    let alike = |(said, known): (u8, u8)| said == known || (known == b'-' && !said.is_ascii_alphanumeric());
    name.len() == known.len() && name.bytes().zip(known.bytes()).all(alike)
}

/// RFC 8941, section 3.3.5, which RFC 9440 asks for: base64 with padding, between colons.
pub(super) fn byte_sequence(der: &CertificateDer<'_>) -> HeaderValue {
    value(&format!(":{}:", STANDARD.encode(der)))
}

#[expect(clippy::expect_used, reason = "SPIFFE IDs and base64 are visible ASCII")]
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII")
}
