//! What we accept of a SPIFFE peer: an X509-SVID that verifies against the current bundles of a source and that a
//! policy permits. And the two sides of a handshake, whatever is accepted there.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finial_identity::{ForeignChain, Role, SpiffeId, Verified, X509Error, X509Svid};
use finial_receive::{Source, X509Context};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::recent::Recent;
use crate::terms::Lists;
use crate::{ClientAuth, HandshakeSettings, Policy, Terms, TlsError};

/// The checks on the certificate of a peer: those of SPIFFE, or those of the web.
pub(crate) trait PeerVerifier: Debug + Send + Sync {
    /// Accepts a peer that plays `role`; a client has dialled it by `name`.
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        name: Option<&ServerName<'_>>,
    ) -> Result<(), TlsError>;
}

/// What happened in the handshake of one connection.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    presented: OnceLock<SpiffeId>,
    peer: OnceLock<(Verified<X509Svid>, Proven)>,
}

/// What a peer was verified against.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) context: Arc<X509Context>,
    pub(crate) lists: Lists,
}

impl Witness {
    pub(crate) fn note_presented(&self, id: &SpiffeId) {
        let _ = self.presented.set(id.clone());
    }

    /// The ID that we presented, if we did.
    pub(crate) fn presented(&self) -> Option<SpiffeId> {
        self.presented.get().cloned()
    }

    /// The peer, if it presented an SVID, and what it was verified against.
    pub(crate) fn peer(&self) -> Option<(Verified<X509Svid>, Proven)> {
        self.peer.get().cloned()
    }
}

/// Whom of the peers that were verified we want.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Whom a policy permits.
    ByPolicy(Policy),
    /// The server of our own trust domain whose SVID is for the host that was dialled. Other trust domains give their
    /// SVIDs what DNS names they like.
    ByHost,
}

impl Wanted {
    fn permit(
        &self,
        svid: &X509Svid,
        context: &X509Context,
        host: Option<&ServerName<'_>>,
    ) -> Result<(), TlsError> {
        let unauthorized = || TlsError::Unauthorized { id: svid.id().clone() };
        match self {
            Self::ByPolicy(policy) => policy.permits_svid(svid).then_some(()).ok_or_else(unauthorized),
            Self::ByHost => {
                let own = context.credential().map(|credential| credential.svid().id().trust_domain());
                let host = host.filter(|_| own == Some(svid.id().trust_domain())).ok_or_else(unauthorized)?;
                let names =
                    ForeignChain::from_chain(vec![svid.leaf().clone()]).map_err(|_| unauthorized())?;
                names.is_for(host).then_some(()).ok_or_else(|| TlsError::WrongHost {
                    id: svid.id().clone(),
                    host: host.to_str().into_owned(),
                    names: names.dns_names().to_vec(),
                })
            }
        }
    }
}

/// The checks on a peer's certificate, in the order in which they must be made: the chain against the bundle of
/// the leaf's own trust domain, the rules of SPIFFE on the leaf, and only then whether it is one that is wanted.
#[derive(Debug)]
pub(crate) struct PeerCheck {
    source: Source,
    wanted: Wanted,
    terms: Terms,
    skew: Duration,
    recent: Arc<RecentSvids>,
    witness: Option<Arc<Witness>>,
}

/// The SVIDs that were verified a moment ago.
pub(crate) type RecentSvids = Recent<X509Context, Verified<X509Svid>>;

impl PeerCheck {
    pub(crate) fn new(source: Source, policy: Policy) -> Self {
        let (wanted, settings) = (Wanted::ByPolicy(policy), HandshakeSettings::default());
        Self {
            source,
            wanted,
            terms: settings.terms,
            skew: settings.skew,
            recent: Arc::default(),
            witness: None,
        }
    }

    /// For one connection, whose witness keeps the verified peer.
    pub(crate) fn witnessed(
        source: Source,
        (wanted, settings): (Wanted, &HandshakeSettings),
        recent: Arc<RecentSvids>,
        witness: Arc<Witness>,
    ) -> Self {
        let (terms, skew) = (settings.terms.clone(), settings.skew);
        Self { source, wanted, terms, skew, recent, witness: Some(witness) }
    }
}

impl PeerVerifier for PeerCheck {
    /// The server's name plays no part, unless it was asked for: its SPIFFE ID is its name.
    fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        name: Option<&ServerName<'_>>,
    ) -> Result<(), TlsError> {
        let untrusted = |cause: X509Error| TlsError::Untrusted(Arc::new(cause));
        let (context, lists) = (self.source.context()?, self.terms.lists()?);
        let now = self.source.clock().now();
        let verify = || {
            let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned());
            let revoked = lists.as_deref().cloned().unwrap_or_default();
            let svid = X509Svid::from_chain(chain.collect())?;
            let at = svid.instant_within(now, self.skew);
            svid.verify_unrevoked(context.bundles(), &revoked, at, role)
        };
        let (chain, grounds) = ((leaf, intermediates), (&context, &lists));
        let svid = self.recent.prove(chain, grounds, (now, role), verify).map_err(untrusted)?;
        self.wanted.permit(&svid, &context, name)?;
        if let Some(witness) = &self.witness {
            let _ = witness.peer.set((svid, Proven { context, lists }));
        }
        Ok(())
    }
}

/// Verifies clients, for a server.
#[derive(Debug)]
pub(crate) struct ClientVerifier<C> {
    check: C,
    client_auth: ClientAuth,
    provider: Arc<CryptoProvider>,
}

impl<C: PeerVerifier> ClientVerifier<C> {
    pub(crate) fn new(check: C, client_auth: ClientAuth, provider: Arc<CryptoProvider>) -> Self {
        Self { check, client_auth, provider }
    }
}

impl<C: PeerVerifier> ClientCertVerifier for ClientVerifier<C> {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    /// None: the names of authorities are nobody's business before the handshake.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check.accept(leaf, intermediates, Role::Client, None).map_err(TlsError::into_rustls)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies servers, for a client.
#[derive(Debug)]
pub(crate) struct ServerVerifier<C> {
    check: C,
    provider: Arc<CryptoProvider>,
}

impl<C: PeerVerifier> ServerVerifier<C> {
    pub(crate) fn new(check: C, provider: Arc<CryptoProvider>) -> Self {
        Self { check, provider }
    }
}

impl<C: PeerVerifier> ServerCertVerifier for ServerVerifier<C> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check.accept(leaf, intermediates, Role::Server, Some(name)).map_err(TlsError::into_rustls)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
