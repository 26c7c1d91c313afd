//! The folder that the draft of SPIFFE Filesystem Delivery describes: key and chain in one file, and a bundle of each
//! trust domain.

use finial_identity::{BundleSet, PrivateKey};
use zeroize::Zeroizing;

use super::certificates::Certificates;
use super::{RenderError, Rendered, Turn};
use crate::{FileName, Mode};

/// The name of key and chain (§2).
const CREDENTIAL_BUNDLE: &str = "credential-bundle.private-key.pem";
/// After the name of a trust domain, that of its bundle (§2.2).
const TRUST_BUNDLE: &str = ".spiffe-trust-bundle.pem";

/// The modes are of what holds the key, and of what does not.
pub(super) fn files(
    (secret, public): (Mode, Mode),
    key: &PrivateKey,
    bundles: &BundleSet,
    certificates: &Certificates,
) -> Result<Vec<Rendered>, RenderError> {
    let mut files = Vec::new();
    // A bundle without authorities would be a file without a certificate, which none may be.
    for bundle in bundles.iter().filter(|bundle| !bundle.x509_authorities.is_empty()) {
        files.push(Rendered {
            name: FileName::parse(&format!("{}{TRUST_BUNDLE}", bundle.trust_domain))?,
            mode: public,
            turn: Turn::Trust,
            bytes: Zeroizing::new(bundle.to_pem().into_bytes()),
        });
    }
    // The key first, then the chain up to the certificate below the anchor, and nothing between them (§2.1).
    let both = [key.to_pem().as_bytes(), &certificates.chain_without_anchors_pem()].concat();
    files.push(Rendered {
        name: FileName::parse(CREDENTIAL_BUNDLE)?,
        mode: secret,
        turn: Turn::Whole,
        bytes: Zeroizing::new(both),
    });
    Ok(files)
}

/// Whether a name is one that the draft gives.
pub(crate) fn is_of_credential_folder(name: &str) -> bool {
    name == CREDENTIAL_BUNDLE || name.ends_with(TRUST_BUNDLE)
}
