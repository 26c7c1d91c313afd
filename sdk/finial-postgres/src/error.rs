//! Why there is no connection to PostgreSQL, and what to change.

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use finial_identity::{ForeignChain, SpiffeId, X509Svid, tls_server_end_point};
use finial_tls::TlsError;
use tokio_postgres::Config;
use tokio_postgres::config::ChannelBinding;
use tokio_postgres::error::SqlState;

use crate::attempt::Attempt;

/// A connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration asks for a connection without TLS.
    #[error("sslmode=disable asks for a connection on which nobody is known: leave it out")]
    WithoutTls,
    /// The configuration names a Unix socket.
    #[error("{} is a Unix socket, on which PostgreSQL speaks no TLS: give a host", .0.display())]
    UnixSocket(
        /// The folder of the socket.
        PathBuf,
    ),
    /// The server is to be known by its host, and this is none.
    #[error("`{0}` is no host name that a certificate could be for")]
    NoHostName(
        /// The text at fault.
        String,
    ),
    /// The server answered that it has no TLS.
    #[error("the server speaks no TLS: set `ssl = on` in its postgresql.conf, and restart or reload it")]
    ServerWithoutTls(#[source] tokio_postgres::Error),
    /// The server did not understand a handshake that came without a question.
    #[error(
        "the server speaks no direct TLS, which is new in PostgreSQL 17: leave out sslnegotiation=direct"
    )]
    ServerWithoutDirectTls(#[source] TlsError),
    /// What speaks TLS there did not agree to PostgreSQL's protocol.
    #[error("the server did not agree to the protocol `postgresql`: is it another service?")]
    NotPostgres,
    /// The server is somebody, and not who was wanted.
    #[error("the server is {presented}; wanted is {wanted}")]
    WrongServer {
        /// Who it is.
        presented: String,
        /// Who was wanted.
        wanted: String,
        /// Why it was not accepted.
        #[source]
        cause: Box<TlsError>,
    },
    /// The connection could not be secured in another way: there is no identity at the moment, or the server's certificate
    /// leads to no authority that we trust.
    #[error("cannot secure the connection to the server")]
    Tls(#[source] TlsError),
    /// The server ended the connection when it had seen our certificate.
    #[error(
        "the server did not accept {}: does its ssl_ca_file hold our bundle, and was it reloaded since?",
        certificate(.presented.as_ref())
    )]
    CertificateRefused {
        /// Whose certificate it was; `None` when we had none.
        presented: Option<SpiffeId>,
        /// The alert, or how the connection ended.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// The server asks for a certificate, and the source holds only bundles.
    #[error("the server asks for a certificate, and we have none to present: give this process an entry")]
    NoCertificate(#[source] tokio_postgres::Error),
    /// The server knows our certificate, and does not let its holder be this user.
    #[error("PostgreSQL does not let {} be the user `{user}`: {}", .presented.id, .presented.remedy(user))]
    UserRefused {
        /// The user who was asked for.
        user: String,
        /// What we presented.
        presented: Box<Presented>,
        /// What the server said.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// No line of the server's pg_hba.conf is for this connection.
    #[error(
        "pg_hba.conf lets nobody be the user `{user}` over TLS from here: add a line as `hostssl {database} {user} samenet cert`"
    )]
    NoRule {
        /// The user who was asked for.
        user: String,
        /// The database that was asked for.
        database: String,
        /// What the server said.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// Channel binding was required and was not done.
    #[error("channel_binding=require cannot be met: {reason}")]
    NoChannelBinding {
        /// What stands in its way.
        reason: &'static str,
        /// What tokio-postgres says.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// The server did not answer in time.
    #[error("the server was not ready within {0:?}: is it overloaded, or something else than PostgreSQL?")]
    TooSlow(
        /// The time that it had.
        Duration,
    ),
    /// The server, or the way there, failed in another way.
    #[error("cannot connect to PostgreSQL")]
    Postgres(#[source] tokio_postgres::Error),
}

/// What of a certificate PostgreSQL can map to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its SPIFFE ID, at which no released PostgreSQL looks.
    pub id: SpiffeId,
    /// The common name of its subject, which is the first DNS name of the entry.
    pub common_name: Option<String>,
    /// Its subject, the last part first (RFC 4514).
    pub subject: String,
}

impl Presented {
    fn of(svid: &X509Svid) -> Self {
        let names = ForeignChain::from_chain(vec![svid.leaf().clone()]).ok();
        let common_name = names.as_ref().and_then(|names| names.common_name()).map(str::to_owned);
        let subject = names.map(|names| names.subject()).unwrap_or_default();
        Self { id: svid.id().clone(), common_name, subject }
    }

    fn remedy(&self, user: &str) -> String {
        let subject = &self.subject;
        match &self.common_name {
            Some(name) => format!(
                "the common name of its SVID is `{name}`; call the user so, or map that name, or with clientname=DN the \
                 subject `{subject}`, to `{user}` in pg_ident.conf"
            ),
            None => format!(
                "its SVID has no common name; give the entry a DNS name (`finial entry create … -dns {user}`), the first \
                 of which becomes the common name, or map the subject `{subject}` to `{user}` by clientname=DN in \
                 pg_hba.conf and a line of pg_ident.conf"
            ),
        }
    }
}

fn certificate(presented: Option<&SpiffeId>) -> String {
    presented
        .map_or_else(|| "a caller without a certificate".to_owned(), |id| format!("the certificate of {id}"))
}

impl Error {
    /// Finds out what went wrong, by the kind of the failure and never by the words of the server, which may be in any
    /// language.
    pub(crate) fn explain(cause: tokio_postgres::Error, config: &Config, attempt: &Attempt) -> Self {
        let established = attempt.established();
        let presented = established.as_ref().and_then(|it| it.credential.as_ref());
        if let Some(refusal) = cause.as_db_error() {
            let (code, routine) = (refusal.code().clone(), refusal.routine().unwrap_or_default().to_owned());
            let user = config.get_user().unwrap_or("that of this process").to_owned();
            return match (routine.as_str(), presented) {
                _ if code != SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::Postgres(cause),
                ("auth_failed", Some(credential)) => {
                    Self::UserRefused { user, presented: Box::new(Presented::of(credential.svid())), cause }
                }
                ("ClientAuthentication", None) => Self::NoCertificate(cause),
                ("ClientAuthentication", Some(_)) => {
                    let database = config.get_dbname().unwrap_or(&user).to_owned();
                    Self::NoRule { user, database, cause }
                }
                _ => Self::Postgres(cause),
            };
        }
        let Some(established) = established else {
            return Self::before_tls(cause, attempt);
        };
        if is_end(&cause) {
            let presented = established.credential.map(|credential| credential.svid().id().clone());
            return Self::CertificateRefused { presented, cause };
        }
        if config.get_channel_binding() == ChannelBinding::Require && is_unbound(&cause) {
            let reason = if established.server.as_ref().and_then(tls_server_end_point).is_some() {
                "the server asked for no password by scram-sha-256, and a certificate alone binds nothing"
            } else {
                "the signature on the server's certificate has no hash to bind by, as Ed25519: use an ECDSA authority, or prefer"
            };
            return Self::NoChannelBinding { reason, cause };
        }
        Self::Postgres(cause)
    }

    /// Of a connection that was never secured.
    fn before_tls(cause: tokio_postgres::Error, attempt: &Attempt) -> Self {
        match cause.source() {
            Some(source) if source.to_string() == NO_TLS => Self::ServerWithoutTls(cause),
            Some(source) if source.is::<Self>() => {
                match cause.into_source().map(|source| source.downcast::<Self>()) {
                    Some(Ok(error)) => error.of_direct_tls(attempt.is_direct),
                    // It is one, as was just seen.
                    _ => Self::NotPostgres,
                }
            }
            _ => Self::Postgres(cause),
        }
    }

    /// A server that knows nothing of direct TLS takes the handshake for a packet of the wrong length, and hangs up.
    fn of_direct_tls(self, is_direct: bool) -> Self {
        match self {
            Self::Tls(TlsError::Handshake(cause)) if is_direct && hangs_up(&cause) => {
                Self::ServerWithoutDirectTls(TlsError::Handshake(cause))
            }
            error => error,
        }
    }
}

/// What tokio-postgres says when the server answers `N`; it has no kind of its own for that.
const NO_TLS: &str = "server does not support TLS";

/// Whether the server ended the connection, by an alert of TLS or without.
fn is_end(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().and_then(|source| source.downcast_ref()).is_some_and(hangs_up)
}

fn hangs_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let is_alert = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .is_some_and(|error| matches!(error, rustls::Error::AlertReceived(_)));
    is_alert || matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Whether tokio-postgres gave up since nothing was bound: its only failure of authentication without a server's word.
fn is_unbound(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.to_string() == "server did not use channel binding")
}
