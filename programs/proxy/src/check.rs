//! What a configuration would do, told without serving: whom each listener would let in, and why not somebody.

mod authorities;
mod closest;
#[cfg(test)]
mod tests;
mod whom;

use std::path::Path;

use finial_daemon::{Clock, Tasks};
use finial_identity::{ForeignChain, SpiffeId};
use futures_util::future::try_join_all;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use self::authorities::Authorities;
use crate::config::{Mode, Named, Plan, Trust};
use crate::identities::Identities;
use crate::{AccessFlags, Config, ProxyError, ProxyFile};

/// One listener, after all checks: its files were read, and its agent was asked if it answers.
#[derive(Debug)]
pub struct Examined {
    named: Named,
    authorities: Authorities,
    clock: Clock,
}

/// Somebody who might be at the other end.
#[derive(Clone, Debug)]
pub enum Visitor {
    /// Whoever holds an SVID of this ID that verifies.
    Id(SpiffeId),
    /// The holder of these certificates, leaf first.
    Certificate(Vec<CertificateDer<'static>>),
}

/// Whether somebody would be let in, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether nothing speaks against it that could be known here.
    pub permitted: bool,
    /// Each a sentence: what speaks against it, or what permits it.
    pub reasons: Vec<String>,
}

/// Checks the configuration of one proxy as [`build`](crate::build) would, reads its files, and asks its agent, for a few
/// seconds. One that does not answer is no error: what it alone knows is then not judged.
///
/// # Errors
/// With the rule that is broken, or the file that cannot be used.
pub async fn examine(config: impl Into<Config>, clock: &Clock) -> Result<Examined, ProxyError> {
    let named = Named::new(String::new(), config.into())?;
    Examined::new(named, &identities(clock)).await
}

/// The same for each proxy of a file.
///
/// # Errors
/// As [`examine`], and as [`ProxyFile::read`].
pub async fn examine_file(path: &Path, clock: &Clock) -> Result<Vec<Examined>, ProxyError> {
    let (plans, identities) = (ProxyFile::read(path)?.plans()?, identities(clock));
    try_join_all(plans.into_iter().map(|named| Examined::new(named, &identities))).await
}

/// Read once, and not followed for longer than it takes.
fn identities(clock: &Clock) -> Identities {
    Identities::new(clock, &Tasks::new(clock.clone()))
}

impl Visitor {
    /// Reads the certificates of a PEM file, or one certificate in DER.
    ///
    /// # Errors
    /// [`ProxyError::VisitorFile`] when the file cannot be read; one that holds no certificate is judged as such.
    pub fn read(path: &Path) -> Result<Self, ProxyError> {
        let fail = |cause| ProxyError::VisitorFile { path: path.to_owned(), cause };
        let bytes = std::fs::read(path).map_err(fail)?;
        let chain = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect::<Vec<_>>();
        let is_der = chain.is_empty() && bytes.first() == Some(&0x30);
        Ok(Self::Certificate(if is_der { vec![CertificateDer::from(bytes)] } else { chain }))
    }
}

impl Examined {
    async fn new(named: Named, identities: &Identities) -> Result<Self, ProxyError> {
        let authorities = Authorities::of(&named.plan, identities).await?;
        Ok(Self { named, authorities, clock: identities.clock().clone() })
    }

    /// Of its block in a file; empty where flags made it.
    pub fn name(&self) -> &str {
        &self.named.name
    }

    /// `server` or `client`.
    pub fn mode(&self) -> &'static str {
        self.named.config.mode()
    }

    /// Where callers connect.
    pub fn listen(&self) -> String {
        self.plan().listen.to_string()
    }

    /// Where it forwards.
    pub fn targets(&self) -> Vec<String> {
        self.plan().targets.iter().map(|target| target.address.to_string()).collect()
    }

    /// What it presents, in words.
    pub fn presents(&self) -> String {
        whom::presents(self.plan(), self.authorities.own_id())
    }

    /// Whom it lets in, or talks to: a line for each rule, and what could not be found out.
    pub fn rules(&self) -> Vec<String> {
        let mut rules = whom::rules(self.plan(), self.access());
        rules.extend(self.authorities.unknown().map(str::to_owned));
        rules
    }

    /// Whether it would let somebody in, or talk to somebody. What only the agent, or a handshake, can tell is not
    /// judged, and named among the reasons.
    pub fn judge(&self, visitor: &Visitor) -> Judgement {
        if self.plan().mode == Mode::Server && self.plan().trust == Trust::ServerOnly {
            return Judgement::yes("anybody is let in: no certificate is asked for");
        }
        match visitor {
            Visitor::Id(id) => self.judge_id(id),
            Visitor::Certificate(chain) => self.judge_chain(chain),
        }
    }

    fn judge_id(&self, id: &SpiffeId) -> Judgement {
        if self.plan().pins.is_some() {
            return Judgement::no("keys are pinned, and an ID says nothing of a key: give the certificate");
        }
        if let Some(reason) = self.authorities.against_id(id) {
            return Judgement::no(reason);
        }
        let access = self.access();
        if access.all {
            return Judgement::yes("whoever has a certificate that verifies");
        }
        let uris = self.plan().rules.uris.as_ref();
        if uris.is_some_and(|uris| uris.matches(id.as_str())) {
            let matching = access.uris.iter().find(|pattern| closest::is_match(pattern, id.as_str()));
            return Judgement::yes(matching.map_or("a rule over URIs", String::as_str));
        }
        if self.plan().rules.is_empty() {
            // A client of files: its servers are known by their host names.
            return Judgement::no("servers are known by the host name of the target: give the certificate");
        }
        Judgement { permitted: false, reasons: closest::explain(&access.uris, id.as_str(), access) }
    }

    fn judge_chain(&self, chain: &[CertificateDer<'static>]) -> Judgement {
        let chain = match ForeignChain::from_chain(chain.to_vec()) {
            Ok(chain) => chain,
            Err(error) => return Judgement::no(whom::with_causes(&error)),
        };
        if let Some(pins) = &self.plan().pins {
            return match pins.iter().find(|pin| pin.is_of(chain.public_key())) {
                Some(pin) => Judgement::yes(format!("its key has the pin {pin}")),
                None => Judgement::no("its key has none of the pins"),
            };
        }
        let against = [self.against_time(&chain), self.against_path(&chain), self.against_names(&chain)];
        let mut reasons = against.into_iter().flatten().collect::<Vec<_>>();
        let permitted = reasons.is_empty();
        if permitted {
            reasons.push("its names are permitted".to_owned());
        }
        reasons.extend(self.authorities.unknown().map(str::to_owned));
        Judgement { permitted, reasons }
    }

    fn against_time(&self, chain: &ForeignChain) -> Vec<String> {
        let (now, end) = (self.clock.now(), chain.not_after());
        let expired = (now >= end).then(|| format!("it has expired, at {}", whom::rfc3339(end)));
        expired.into_iter().collect()
    }

    /// At a time at which it is valid, as the time is judged by itself.
    fn against_path(&self, chain: &ForeignChain) -> Vec<String> {
        let at = self.clock.now().min(chain.not_after());
        self.authorities.against_chain(chain, whom::role(self.plan().mode), at).into_iter().collect()
    }

    fn against_names(&self, chain: &ForeignChain) -> Vec<String> {
        let plan = self.plan();
        let mut reasons = Vec::new();
        let names = plan.targets.iter().filter_map(|target| target.name.as_ref());
        let names = names.collect::<Vec<_>>();
        if self.authorities.are_of_files()
            && !names.is_empty()
            && !names.iter().any(|name| chain.is_for(name))
        {
            reasons.push("it is not for the host name of a target".to_owned());
        }
        let named = plan.mode == Mode::Client && self.authorities.are_of_files();
        if plan.rules.is_permitting(chain) || (named && plan.rules.is_empty()) {
            return reasons;
        }
        let access = self.access();
        match chain.uri_names() {
            [] => reasons.push("none of its names is permitted, and it has no URI".to_owned()),
            uris => reasons.extend(uris.iter().flat_map(|uri| closest::explain(&access.uris, uri, access))),
        }
        reasons
    }

    fn access(&self) -> &AccessFlags {
        match &self.named.config {
            Config::Server(server) => &server.allow,
            Config::Client(client) => &client.verify,
        }
    }

    fn plan(&self) -> &Plan {
        &self.named.plan
    }
}

impl Judgement {
    fn yes(reason: impl Into<String>) -> Self {
        Self { permitted: true, reasons: vec![reason.into()] }
    }

    fn no(reason: impl Into<String>) -> Self {
        Self { permitted: false, reasons: vec![reason.into()] }
    }
}
