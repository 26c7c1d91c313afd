//! Whom a listener believes: the authorities of files or of an agent, and the lists of what they have revoked.

use std::time::{Duration, SystemTime};

use finial_identity::{ForeignChain, RevocationLists, Role, SpiffeId, X509Authority, X509Svid};
use finial_receive::{Endpoint, X509Context};

use super::whom::with_causes;
use crate::ProxyError;
use crate::config::{Own, Plan};
use crate::identities::Identities;
use crate::identity::Identity;

/// How long an agent may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// As they are at the moment.
#[derive(Debug)]
pub(super) struct Authorities {
    known: Known,
    revoked: RevocationLists,
}

#[derive(Debug)]
enum Known {
    /// Of files.
    Roots(Vec<X509Authority>),
    /// Of an agent, with what it lets this process present.
    Agent(Box<X509Context>),
    /// Why those of an agent could not be found out.
    Nothing(String),
}

impl Authorities {
    /// # Errors
    /// With the file that cannot be used.
    pub(super) async fn of(plan: &Plan, identities: &Identities) -> Result<Self, ProxyError> {
        let terms = identities.terms(&plan.scrutiny).await?;
        let lists = terms.revocations.map(|lists| lists.lists()).transpose();
        let revoked = lists.map_err(ProxyError::NoIdentity)?.as_deref().cloned().unwrap_or_default();
        let known = match &plan.own {
            Own::WorkloadApi(endpoint) => ask(endpoint, identities).await,
            own @ Own::Files { .. } => match identities.open(own).await? {
                Identity::Web(source) => {
                    Known::Roots(source.identity().map_err(ProxyError::NoIdentity)?.roots().to_vec())
                }
                Identity::Spiffe(_) => Known::Nothing("files hold no identity of SPIFFE".to_owned()),
            },
        };
        Ok(Self { known, revoked })
    }

    pub(super) fn are_of_files(&self) -> bool {
        matches!(self.known, Known::Roots(_))
    }

    /// The ID that an agent lets this process present.
    pub(super) fn own_id(&self) -> Option<&SpiffeId> {
        match &self.known {
            Known::Agent(context) => context.credential().map(|credential| credential.svid().id()),
            Known::Roots(_) | Known::Nothing(_) => None,
        }
    }

    /// What could not be found out, and so is not judged.
    pub(super) fn unknown(&self) -> Option<&str> {
        match &self.known {
            Known::Nothing(reason) => Some(reason),
            Known::Roots(_) | Known::Agent(_) => None,
        }
    }

    /// What speaks against whoever has this ID, whatever the rules say.
    pub(super) fn against_id(&self, id: &SpiffeId) -> Option<String> {
        let Known::Agent(context) = &self.known else { return None };
        let trust_domain = id.trust_domain();
        let none = context.bundles().bundle(&trust_domain).is_none();
        none.then(|| format!("the agent has no bundle of `{trust_domain}`, so that nobody of it is believed"))
    }

    /// What speaks against a chain at this time.
    pub(super) fn against_chain(&self, chain: &ForeignChain, role: Role, at: SystemTime) -> Option<String> {
        if let Known::Roots(roots) = &self.known {
            let led = chain.verify_for(role, roots, &self.revoked, at);
            return led.err().map(|error| with_causes(&error));
        }
        if chain.uri_names().is_empty() {
            return Some("it has no URI, so it is no SVID".to_owned());
        }
        let svid = match X509Svid::from_chain(chain.chain().to_vec()) {
            Ok(svid) => svid,
            Err(error) => return Some(format!("it is no SVID: {}", with_causes(&error))),
        };
        let Known::Agent(context) = &self.known else { return None };
        let led = svid.verify_unrevoked(context.bundles(), &self.revoked, at, role);
        led.err().map(|error| format!("by what the agent gives: {}", with_causes(&error)))
    }
}

async fn ask(endpoint: &Endpoint, identities: &Identities) -> Known {
    match X509Context::fetch(endpoint, PATIENCE, identities.clock()).await {
        Ok(context) => Known::Agent(Box::new(context)),
        Err(error) => Known::Nothing(format!(
            "no authority and no revocation is judged, since the agent tells this process nothing: {}",
            with_causes(&error)
        )),
    }
}
