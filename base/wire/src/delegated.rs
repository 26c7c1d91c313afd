//! What a delegate asks for on behalf of a workload, and what it is given.

use std::fmt;

use finial_identity::{SelectorSet, TrustDomain, X509Credential};

/// The workload that a delegate asks for. `Debug` hides the values of selectors.
#[derive(Clone, PartialEq, Eq)]
pub enum DelegatedWorkload {
    /// One that the delegate has recognized by itself: at least one selector.
    Selectors(SelectorSet),
    /// A process of this node, which the agent recognizes; never 0.
    Process(i32),
}

/// The X.509-SVIDs of a workload. One replaces the one before as a whole.
#[derive(Clone, Debug)]
pub struct DelegatedIdentities {
    /// With their keys; there may be none.
    pub credentials: Vec<X509Credential>,
    /// The trust domains that the workload federates with, as far as the agent has their bundles.
    pub federates_with: Vec<TrustDomain>,
}

impl fmt::Debug for DelegatedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selectors(selectors) => write!(f, "Selectors({} …)", selectors.len()),
            Self::Process(pid) => write!(f, "Process({pid})"),
        }
    }
}
