//! What can go wrong on the way from a provider to a live identity.

use std::path::PathBuf;
use std::time::Duration;

use finial_identity::{JwtError, SpiffeId, X509Error};

use crate::{ENDPOINT_VARIABLE, NotLive};

/// An identity could not be received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// No endpoint was configured and the environment names none (SPIFFE Workload Endpoint §4).
    #[error(
        "{ENDPOINT_VARIABLE} is not set: export the agent's socket, as in {ENDPOINT_VARIABLE}=unix:///run/finial/agent.sock"
    )]
    EndpointUnset,
    /// The text is no address of a Workload API (SPIFFE Workload Endpoint §4).
    #[error("`{endpoint}` is no Workload API endpoint: {rule}")]
    Endpoint {
        /// The text at fault.
        endpoint: String,
        /// The rule it breaks, with the remedy.
        rule: &'static str,
    },
    /// The provider sent a set without any X509-SVID.
    #[error("the set holds no X509-SVID")]
    NoSvid,
    /// The credential and the bundles that came with it do not belong together.
    #[error("X509-SVID of {id} does not verify against the bundles that came with it")]
    Mismatch {
        /// The ID of the SVID.
        id: SpiffeId,
        /// Why it does not verify.
        #[source]
        cause: Box<X509Error>,
    },
    /// A file of an identity could not be read, or does not hold what it must.
    #[error("{} {fault}", path.display())]
    File {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it, with the remedy.
        fault: &'static str,
        /// The cause, when another part of the system reported one.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The operating system holds no root that can be used.
    #[error(
        "the operating system trusts no certificate authority: install its package ca-certificates, or set SSL_CERT_FILE"
    )]
    NoSystemRoots(#[source] Option<Box<rustls_native_certs::Error>>),
    /// The Workload API refused the call.
    #[error("the Workload API refused {rpc}")]
    Refused {
        /// The RPC.
        rpc: &'static str,
        /// Its answer.
        #[source]
        status: Box<tonic::Status>,
    },
    /// The Workload API did not answer in time.
    #[error("the Workload API did not answer {rpc} within {limit:?}: is the agent overloaded?")]
    Unanswered {
        /// The RPC.
        rpc: &'static str,
        /// The time it was given.
        limit: Duration,
    },
    /// The Workload API answered with a JWT-SVID other than the one that was asked for.
    #[error("the Workload API answered with a JWT-SVID of {id} that {fault}")]
    OtherJwt {
        /// The subject of the token that came.
        id: SpiffeId,
        /// How it differs from the request.
        fault: &'static str,
    },
    /// The Workload API answered without any JWT-SVID.
    #[error("the Workload API answered without a JWT-SVID")]
    NoJwt,
    /// A token was not accepted.
    #[error("the JWT-SVID is not valid")]
    Jwt(#[source] Box<JwtError>),
    /// There is no identity, or there are no bundles, at the moment.
    #[error(transparent)]
    NotLive(#[from] NotLive),
}
