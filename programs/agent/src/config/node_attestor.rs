//! How a node proves to its server what it is.

use finial_attest::{NodeEvidenceSource, X509PopEvidence, X509PopFiles};
use finial_daemon::Clock;
use finial_plugin_x509pop_spiffe::SpiffeEvidence;
use finial_receive::Endpoint;

use super::Config;

/// How the node proves what it is. With a join token configured this does not count, as in SPIRE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodeAttestorConfig {
    /// By a join token and nothing else.
    #[default]
    JoinToken,
    /// x509pop: by a certificate and its key, in files.
    X509Pop(X509PopFiles),
    /// x509pop: by the X.509-SVID that the Workload API of another agent gives to this process.
    X509PopSpiffe(Endpoint),
}

impl Config {
    /// What the node can show more than once; nothing when it has a join token, or may only have one.
    pub(crate) fn lasting_evidence(&self, clock: &Clock) -> Option<Box<dyn NodeEvidenceSource>> {
        if self.join_token.is_some() || self.join_token_file.is_some() {
            return None;
        }
        match &self.node_attestor {
            NodeAttestorConfig::JoinToken => None,
            NodeAttestorConfig::X509Pop(files) => Some(Box::new(X509PopEvidence::new(files.clone()))),
            NodeAttestorConfig::X509PopSpiffe(endpoint) => {
                Some(Box::new(SpiffeEvidence::new(endpoint.clone(), clock.clone())))
            }
        }
    }
}
