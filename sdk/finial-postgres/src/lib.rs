//! After stage 6: PostgreSQL without passwords. Connections prove by SVID who we are, and know who the server is.
//!
//! ```text
//! … receive ──Source──→ tls ──→ postgres ──Client──→ your program
//! ```
//!
//! A [`Connector`] gives tokio-postgres its TLS: each new connection presents the newest SVID and trusts the newest bundles,
//! so that nothing needs to be restarted when either rotates. Who the server must be is a [`Server`]: a SPIFFE ID, a policy,
//! or the host that is dialled; never "anyone". A connection ends by itself once the trust it rests on has gone.
//!
//! ```no_run
//! use finial::{Clock, SpiffeId, Tasks, Workload};
//! use finial_postgres::{Connector, PoolSettings, Server, pool};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let workload = Workload::connect().await?;
//! let database = Server::id(SpiffeId::parse("spiffe://example.org/database")?);
//! let connector = Connector::new(workload.source(), database);
//! let config = "host=db.example.org user=app dbname=app".parse()?;
//! let pool = pool(&connector, &config, PoolSettings::default(), &Tasks::new(Clock::system()));
//!
//! let client = pool.get().await?;
//! let row = client.query_one("SELECT current_user::text", &[]).await?;
//! println!("{}", row.get::<_, String>(0));
//! # Ok(())
//! # }
//! ```
//!
//! A [`pool`] retires connections before the SVID that they were made with expires, and closes them, lent or not, when their
//! trust goes. Without a pool, [`Connector::connect`] opens one connection, and stacks that take a
//! [`MakeTlsConnect`](tokio_postgres::tls::MakeTlsConnect) take the connector.
//!
//! # The server's side
//!
//! PostgreSQL looks at the common name or the subject of a certificate, and never at its SPIFFE ID (as of version 18). The
//! first DNS name of an entry becomes the common name of its SVIDs:
//!
//! ```text
//! finial entry create … -spiffeID spiffe://example.org/app -dns app
//! ```
//!
//! and then `hostssl all all samenet cert` in pg_hba.conf lets the workload be the user `app`. With
//! `cert clientname=DN map=workloads` there, pg_ident.conf maps subjects instead. [`Error::UserRefused`] says which of the
//! two is missing.
//!
//! # Channel binding and direct TLS
//!
//! `channel_binding=require` works where a password by scram-sha-256 is asked for beside the certificate. It binds to the
//! server's certificate by the hash of its signature (`tls-server-end-point`); one that is signed with Ed25519 has none, so
//! that `prefer` goes without and `require` fails. `sslnegotiation=direct` saves a round trip with PostgreSQL 17 and later;
//! an earlier one is told by [`Error::ServerWithoutDirectTls`].

mod attempt;
mod connector;
mod error;
#[cfg(test)]
mod fixtures;
mod handshake;
mod pool;
mod server;
mod stream;

pub use connector::Connector;
pub use error::{Error, Presented};
pub use handshake::Handshake;
pub use pool::{Client, Manager, Pool, PoolSettings, pool};
pub use server::Server;
pub use stream::TlsStream;

pub use {deadpool, tokio_postgres};
