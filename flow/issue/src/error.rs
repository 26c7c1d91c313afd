//! What can go wrong when issuing, by what a caller would do about it.

use std::time::Duration;

use finial_daemon::go::format_duration;
use finial_identity::{JwtError, KeyKind, X509Error};
use finial_keys::KeysError;
use finial_store::StoreError;

use crate::AuthorityKind;

/// An error of this stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The active authority is about to expire, or has: its successor was not prepared or could not be activated.
    #[error("active {kind} authority `{id}` has {} left, too little to sign for: run `finial localauthority {command} prepare`, then `activate`", format_duration(*.left))]
    Expiring {
        /// Which kind of authority.
        kind: AuthorityKind,
        /// Its authority ID.
        id: String,
        /// What is left of its life.
        left: Duration,
        /// The word for its kind on the command line.
        command: &'static str,
    },
    /// No authority ID was given.
    #[error("no authority ID provided")]
    NoAuthorityId,
    /// There is no authority with that ID that the command could be for.
    #[error("unexpected authority ID: `{id}` ({expected})")]
    UnexpectedAuthority {
        /// The ID that was given.
        id: String,
        /// Which one would do.
        expected: String,
    },
    /// The authority is not in the state that the command is for.
    #[error("only {needed} authorities can be {verb}: `{id}` is {state}")]
    WrongState {
        /// The state that the command needs.
        needed: &'static str,
        /// What the command does, as a participle.
        verb: &'static str,
        /// The authority.
        id: String,
        /// Its state.
        state: &'static str,
    },
    /// Only a tainted authority can be revoked, so that its SVIDs are replaced first.
    #[error("it is not possible to revoke an untainted authority: taint `{id}` first")]
    Untainted {
        /// The authority.
        id: String,
    },
    /// A JWT authority that was to be added has the ID of another key: tokens would be checked by the wrong one.
    #[error("key ID `{id}` belongs to another key of the bundle: give the new key an ID of its own")]
    KeyIdTaken {
        /// The key ID.
        id: String,
    },
    /// The store does not hold the authority in its bundle, so it must not sign.
    #[error("{kind} authority `{id}` is not in the stored bundle, and is not used before it is")]
    NotPublished {
        /// Which kind of authority.
        kind: AuthorityKind,
        /// Its authority ID.
        id: String,
    },
    /// The journal was written by a later version of this program; nothing was changed.
    #[error(
        "journal of the authorities has format {format}, and this version reads {known}: run the version that wrote it"
    )]
    JournalFormat {
        /// The format found.
        format: u64,
        /// The newest one known here.
        known: u64,
    },
    /// The configured life of authorities is too short to rotate them.
    #[error("ca_ttl is {}: set at least {}", format_duration(*.ttl), format_duration(*.min))]
    CaTtl {
        /// What is configured.
        ttl: Duration,
        /// The shortest life.
        min: Duration,
    },
    /// A configured life of SVIDs is zero.
    #[error("{key} is 0s: set a longer one, or leave it out")]
    ZeroTtl {
        /// The configuration key.
        key: &'static str,
    },
    /// A configured kind of key cannot sign for an authority.
    #[error("{key} is {kind:?}: set rsa-2048, rsa-4096, ec-p256 or ec-p384")]
    AuthorityKey {
        /// The configuration key.
        key: &'static str,
        /// What is configured.
        kind: KeyKind,
    },
    /// The journal is of a server of another trust domain.
    #[error(
        "the stored authorities are of `{found}`, and this server is of `{configured}`: name another datastore"
    )]
    OtherTrustDomain {
        /// The name in a stored authority.
        found: String,
        /// The ID of the configured trust domain.
        configured: String,
    },
    /// The key manager failed.
    #[error("signing key could not be used")]
    Keys(#[from] KeysError),
    /// The store failed.
    #[error("authorities could not be read or recorded")]
    Store(#[from] StoreError),
    /// What was signed is not an X.509-SVID or an authority by our own rules, and was thrown away.
    #[error("certificate would not be valid")]
    X509(#[from] X509Error),
    /// What was to be signed is not a JWT-SVID by our own rules.
    #[error("token would not be valid")]
    Jwt(#[from] JwtError),
    /// A value does not fit into a certificate.
    #[error("certificate could not be encoded")]
    Encoding(#[from] der::Error),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Random,
    /// The manager of the authorities has stopped with the rest of the program.
    #[error("authorities are no longer managed: the server is stopping")]
    Stopped,
}
