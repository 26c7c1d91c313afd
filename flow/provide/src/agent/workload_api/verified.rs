//! Tokens that were validated: a service is shown the same ones over and over, and their signatures do not change.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use finial_identity::{Bundle, BundleSet, JwtError, JwtSvid, Verified};

/// How many tokens are remembered; beyond that all are forgotten. Only tokens of trusted authorities get in.
const MOST: usize = 1_024;
/// The longest token that is remembered, in bytes.
const LONGEST: usize = 2_048;

/// The tokens validated lately, by their SHA-256. A short lock guards the table.
#[derive(Debug, Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<[u8; 32], Remembered>>);

#[derive(Debug)]
struct Remembered {
    svid: Arc<Verified<JwtSvid>>,
    /// The very bundle that holds the key: another one, be it equal, asks for the signature again.
    bundle: Arc<Bundle>,
}

impl VerifiedTokens {
    /// As [`JwtSvid::verify`], which is asked once for each token and bundle. Audience and times are always checked, and
    /// that the caller's own bundles are the ones that the signature was checked with.
    pub(super) fn verify(
        &self,
        token: &str,
        audience: &str,
        bundles: &BundleSet,
        now: SystemTime,
    ) -> Result<JwtSvid, JwtError> {
        let key = fingerprint(token);
        if let Some(svid) = self.remembered(&key, bundles) {
            svid.verify_again(audience, now)?;
            return Ok(JwtSvid::clone(&svid));
        }
        let svid = JwtSvid::verify(token, audience, bundles, now)?;
        if let Some(bundle) = bundles.bundle(&svid.id().trust_domain())
            && token.len() <= LONGEST
        {
            self.remember(key, Remembered { svid: Arc::new(svid.clone()), bundle: Arc::clone(bundle) });
        }
        Ok(svid.into_inner())
    }

    fn remembered(&self, key: &[u8; 32], bundles: &BundleSet) -> Option<Arc<Verified<JwtSvid>>> {
        let tokens = self.tokens();
        let Remembered { svid, bundle } = tokens.get(key)?;
        let current = bundles.bundle(&bundle.trust_domain)?;
        Arc::ptr_eq(current, bundle).then(|| Arc::clone(svid))
    }

    fn remember(&self, key: [u8; 32], remembered: Remembered) {
        let mut tokens = self.tokens();
        if tokens.len() >= MOST {
            tokens.clear();
        }
        tokens.insert(key, remembered);
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<[u8; 32], Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprint(token: &str) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    fingerprint
}
