//! The authority that signs what a fuzzer thinks up: what lies behind a valid signature is reached by no other way.
//!
//! Its key is no secret. `cargo run -p finial-fuzz --example seeds` made it, and the corpora that it signed.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finial_identity::{Bundle, BundleSet, JwtAuthority, PrivateKey, TrustDomain, X509Authority};

/// The trust domain of the authority.
pub(crate) const TRUST_DOMAIN: &str = "example.org";

/// The ID of the key among JWT authorities.
pub(crate) const KEY_ID: &str = "key-1";

/// The key in PKCS#8: of the X.509 authority, of the JWT authority, and of whoever asks for a certificate.
pub(crate) const KEY: &[u8] = include_bytes!("../data/key.pk8");

/// The certificate of the X.509 authority.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../data/authority.der");

/// The one SVID that the authority really gave out.
pub(crate) const LEAF: &[u8] = include_bytes!("../data/leaf.der");

/// The key.
pub(crate) static SIGNER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_pkcs8_der(KEY).unwrap());

/// What verifies by the key.
pub(crate) static BUNDLES: LazyLock<BundleSet> = LazyLock::new(|| BundleSet::from_iter([Arc::new(bundle())]));

/// 2030-01-01, when all that was made by hand is valid.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_893_456_000)
}

/// The trust domain.
pub(crate) fn trust_domain() -> TrustDomain {
    TrustDomain::parse(TRUST_DOMAIN).unwrap()
}

fn bundle() -> Bundle {
    let jwt = JwtAuthority {
        key_id: KEY_ID.to_owned(),
        public_key: SIGNER.public_key().clone(),
        expires_at: None,
        tainted: false,
    };
    Bundle {
        x509_authorities: vec![X509Authority::parse_der(CERTIFICATE).unwrap()],
        jwt_authorities: vec![jwt],
        ..Bundle::empty(trust_domain())
    }
}

/// `content` in the form of everything in X.509 that is signed: content, algorithm, signature.
pub(crate) fn signed(content: &[u8]) -> Vec<u8> {
    /// ecdsa-with-SHA256.
    const ALGORITHM: [u8; 12] = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let signature = SIGNER.sign(content).unwrap();
    let bits = tagged(3, &[&[0], &signature[..]].concat());
    tagged(0x30, &[content, &ALGORITHM, &bits].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, 0, 0, short @ 0..128] => vec![tag, short],
        [0, 0, 0, one] => vec![tag, 0x81, one],
        [0, 0, one, two] => vec![tag, 0x82, one, two],
        [0, one, two, three] => vec![tag, 0x83, one, two, three],
        [one, two, three, four] => vec![tag, 0x84, one, two, three, four],
    };
    [&head, content].concat()
}
