//! JWT-SVIDs: the token, how it is verified, and how one is signed.

mod audience;
mod error;
mod sign;
mod svid;
mod verify;

pub use audience::Audience;
pub use error::JwtError;
pub use sign::{JwtClaims, JwtSigningInput};
pub use svid::JwtSvid;
