//! X.509-SVIDs: the document, the credential it makes with its key, and how it is verified.

mod credential;
mod error;
mod svid;
mod verify;

pub use credential::X509Credential;
pub use error::X509Error;
pub use svid::X509Svid;
pub use verify::Role;
