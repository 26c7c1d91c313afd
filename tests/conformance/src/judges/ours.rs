//! Our own verifier, as a TLS peer's certificates reach it.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use finial_identity::{Bundle, BundleSet, Role, TrustDomain, X509Authority, X509Svid};

use crate::limbo::{Case, Kind};
use crate::pem;

/// Verifies a case of the corpus of SPIFFE, whose anchors are the bundle of `example.org`, and the only one. Gives the reason
/// why it is refused, and none when it is accepted.
pub(crate) fn refusal(case: &Case) -> anyhow::Result<Option<String>> {
    let mut bundle = Bundle::empty(TrustDomain::parse("example.org")?);
    for anchor in &case.trusted_certs {
        // One that cannot be read vouches for nobody.
        bundle.x509_authorities.extend(X509Authority::parse_der(pem::certificate(anchor)?.to_vec()).ok());
    }
    let bundles: BundleSet = [Arc::new(bundle)].into_iter().collect();
    let chain = std::iter::once(&case.peer_certificate).chain(&case.untrusted_intermediates);
    let chain = chain.map(|text| pem::certificate(text)).collect::<anyhow::Result<_>>()?;
    let at = UNIX_EPOCH + Duration::from_secs(case.at()?);
    let role = match case.validation_kind {
        Kind::Client => Role::Client,
        Kind::Server => Role::Server,
    };
    let verified = X509Svid::from_chain(chain).and_then(|svid| svid.verify(&bundles, at, role));
    let svid = match verified {
        Ok(svid) => svid,
        Err(error) => return Ok(Some(format!("{:#}", anyhow::Error::from(error)))),
    };
    let id = svid.id().to_string();
    let mut names = case.expected_peer_name.iter().chain(&case.expected_peer_names);
    Ok(names.any(|name| name.value != id).then(|| format!("it is taken for {id}")))
}
