//! Why a message is no noun.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use finial_identity::{
    BundleError, CertificateError, EntryError, JwtError, KeyError, SelectorError, SpiffeIdError, X509Error,
};
use tonic::{Code, Status};

/// Why a message is no noun. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("missing {0}")]
    Missing(&'static str),
    #[error("{0} is no valid message")]
    Malformed(&'static str),
    #[error("{field} is no spiffe id")]
    SpiffeId {
        field: &'static str,
        #[source]
        source: SpiffeIdError,
    },
    #[error("{field} is no trust domain")]
    TrustDomain {
        field: &'static str,
        #[source]
        source: SpiffeIdError,
    },
    #[error("selector is malformed")]
    Selector(#[source] SelectorError),
    #[error("entry is refused")]
    Entry(#[source] EntryError),
    #[error("entry id is malformed")]
    EntryId(#[source] EntryError),
    #[error("bundle is malformed")]
    Bundle(#[source] BundleError),
    #[error("x509 authority is malformed")]
    X509Authority(#[source] CertificateError),
    #[error("jwt authority `{key_id}` has a malformed public key")]
    JwtAuthority {
        key_id: String,
        #[source]
        source: KeyError,
    },
    #[error("x509-svid is malformed")]
    X509Svid(#[source] X509Error),
    #[error("x509-svid's private key is malformed")]
    PrivateKey(#[source] KeyError),
    #[error("jwt-svid is malformed")]
    JwtSvid(#[source] JwtError),
    #[error("{document} is of `{actual}`, not of `{stated}` as stated")]
    OtherId { document: &'static str, stated: String, actual: String },
    #[error("{count} {what} sent; at most {limit} are allowed, send fewer at a time")]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error("{what} of {bytes} bytes sent; at most {limit} are allowed")]
    TooLong { what: &'static str, bytes: usize, limit: usize },
    #[error("{field} must not be negative: {value}")]
    Negative { field: &'static str, value: i64 },
    #[error("{field} is past the year 9999: {value}")]
    FarFuture { field: &'static str, value: i64 },
    #[error("only secrets are served here, not resources of type `{0}`: leave type_url empty")]
    ResourceType(String),
    #[error("unknown log level: {0}")]
    LogLevel(i32),
    #[error("unknown match behavior: {0}")]
    Match(i32),
    #[error("unknown deletion mode: {0}")]
    DeletionMode(i32),
    #[error("by_expires_before must look like `2006-01-02 15:04:05 -0700 -07`: `{0}`")]
    ExpiresBefore(String),
    #[error("page token is not one of ours: `{0}`")]
    PageToken(String),
}

impl WireError {
    /// What a server tells a caller who sent this.
    pub(crate) fn refusal(self) -> Status {
        self.status(Code::InvalidArgument, "")
    }

    /// The same, with what was being done in front, as SPIRE has it.
    pub(crate) fn refusal_of(self, what: &str) -> Status {
        self.status(Code::InvalidArgument, what)
    }

    /// What a client tells its user when a server answers this.
    pub(crate) fn bad_answer(self) -> Status {
        self.status(Code::Internal, "the server's answer is malformed")
    }

    fn status(self, code: Code, what: &str) -> Status {
        let mut text = what.to_owned();
        let mut cause: Option<&dyn Error> = Some(&self);
        while let Some(error) = cause {
            let colon = if text.is_empty() { "" } else { ": " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{colon}{error}");
            cause = error.source();
        }
        let mut status = Status::new(code, text);
        status.set_source(Arc::new(self));
        status
    }
}
