//! Who the server must be: always said, and never "anyone".

use std::fmt;

use finial_identity::SpiffeId;
use finial_receive::WebSource;
use finial_tls::Policy;

/// Who the server must be.
#[derive(Clone, Debug)]
pub struct Server(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Id(SpiffeId),
    Policy(Policy),
    Host,
    HostByRoots(WebSource),
}

impl Server {
    /// The one with this SPIFFE ID, whatever its host is called.
    pub fn id(id: SpiffeId) -> Self {
        Self(Kind::Id(id))
    }

    /// One that the policy permits: several IDs, say, for a primary and its standbys.
    pub fn permitted_by(policy: Policy) -> Self {
        Self(Kind::Policy(policy))
    }

    /// The one of our own trust domain whose SVID is for the host that is dialled, as libpq's `verify-full` looks for it
    /// with the bundle as `sslrootcert`. Its entry has the host as a DNS name.
    pub fn by_host() -> Self {
        Self(Kind::Host)
    }

    /// The one whose certificate is for the host that is dialled and leads to the roots of another PKI, such as that of a
    /// company or of a cloud that runs the database. We present our SVID all the same.
    pub fn by_host_with_roots(roots: &WebSource) -> Self {
        Self(Kind::HostByRoots(roots.clone()))
    }
}

/// What was wanted of the host, for people.
impl Kind {
    pub(crate) fn wanted(&self, host: &str) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Policy(_) => "one that the policy permits".to_owned(),
            Self::Host => format!("{host} of our own trust domain"),
            Self::HostByRoots(_) => host.to_owned(),
        }
    }
}

impl From<SpiffeId> for Server {
    fn from(id: SpiffeId) -> Self {
        Self::id(id)
    }
}

impl From<Policy> for Server {
    fn from(policy: Policy) -> Self {
        Self::permitted_by(policy)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.wanted("the host that is dialled"))
    }
}
