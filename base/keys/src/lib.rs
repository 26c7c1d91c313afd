//! Stands below the flow: `issue` and the agent ask a [`KeyManager`] for the private keys that they sign with.
//!
//! A key is named by an id (SPIRE's: `x509-CA-A`, `JWT-Signer-B`, `agent-svid-A`) and signs where it lives, which may be
//! a device or a service; only managers that hold keys in this process offer the private key itself ([`Key::local`]).

mod disk;
mod error;
mod local;
mod manager;
mod memory;

#[cfg(any(test, feature = "testing"))]
pub mod battery;

pub use disk::DiskKeys;
pub use error::KeysError;
pub use manager::{Key, KeyManager};
pub use memory::MemoryKeys;
