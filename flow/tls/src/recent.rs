//! Chains that were verified within this second: a crowd with one certificate costs one verification.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finial_identity::{RevocationLists, Role};
use rustls_pki_types::CertificateDer;

use crate::terms::Lists;

/// So many chains are remembered; further ones are verified each time.
const LIMIT: usize = 1024;

/// Remembers what verification has proven: a `P` for each chain, by a generation `G` of authorities and by lists of
/// revoked certificates.
///
/// Certificates count time in whole seconds. So the same bytes, by the same authorities and lists, have the same outcome
/// within a second, and whoever is remembered here is whom verification would accept. A refusal is never remembered.
#[derive(Debug)]
pub(crate) struct Recent<G, P> {
    now: Mutex<Moment<G, P>>,
}

/// What was proven by one generation within one second, for peers of one role.
#[derive(Debug)]
struct Moment<G, P> {
    /// Neither is kept alive from here. While this is held nothing else can take their addresses.
    generation: Weak<G>,
    lists: Option<Weak<RevocationLists>>,
    second: u64,
    role: Role,
    /// By the leaf; with what was presented above it.
    proven: HashMap<Vec<u8>, (Vec<CertificateDer<'static>>, P)>,
}

impl<G, P: Clone> Recent<G, P> {
    /// What `verify` gives for this chain now, or gave within this second.
    ///
    /// # Errors
    /// Those of `verify`.
    pub(crate) fn prove<E>(
        &self,
        (leaf, above): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        grounds: (&Arc<G>, &Lists),
        (at, role): (SystemTime, Role),
        verify: impl FnOnce() -> Result<P, E>,
    ) -> Result<P, E> {
        let second = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let moment = Moment::new(grounds, second, role);
        if let Some(proven) = self.recall(&moment, leaf, above) {
            return Ok(proven);
        }
        let proven = verify()?;
        self.remember(moment, leaf, above, proven.clone());
        Ok(proven)
    }

    fn recall(
        &self,
        moment: &Moment<G, P>,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
    ) -> Option<P> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, proven) = now.is(moment).then(|| now.proven.get(leaf.as_ref()))??;
        (known == above).then(|| proven.clone())
    }

    fn remember(
        &self,
        moment: Moment<G, P>,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        proven: P,
    ) {
        let owned = |certificate: &CertificateDer<'_>| certificate.clone().into_owned();
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if !now.is(&moment) {
            *now = moment;
        }
        if now.proven.len() < LIMIT {
            now.proven.insert(leaf.to_vec(), (above.iter().map(owned).collect(), proven));
        }
    }
}

impl<G, P> Default for Recent<G, P> {
    fn default() -> Self {
        let nothing = Moment {
            generation: Weak::new(),
            lists: None,
            second: 0,
            role: Role::Client,
            proven: HashMap::new(),
        };
        Self { now: Mutex::new(nothing) }
    }
}

impl<G, P> Moment<G, P> {
    fn new((generation, lists): (&Arc<G>, &Lists), second: u64, role: Role) -> Self {
        let lists = lists.as_ref().map(Arc::downgrade);
        Self { generation: Arc::downgrade(generation), lists, second, role, proven: HashMap::new() }
    }

    fn is(&self, other: &Self) -> bool {
        let same_lists = match (&self.lists, &other.lists) {
            (None, None) => true,
            (Some(one), Some(other)) => one.ptr_eq(other),
            _ => false,
        };
        same_lists
            && self.generation.ptr_eq(&other.generation)
            && (self.second, self.role) == (other.second, other.role)
    }
}
