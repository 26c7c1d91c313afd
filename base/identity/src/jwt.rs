//! JWT-SVIDs: the token, how it is verified, and how one is signed.
//!
//! JWS in compact form with a closed set of algorithms, straight over the cryptographic library's primitives: there
//! is no JOSE library underneath that could be talked into something else.

mod algorithm;
mod audience;
mod error;
mod parse;
mod sign;
mod svid;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use algorithm::JwtAlgorithm;
pub use audience::Audience;
pub use error::JwtError;
pub use sign::{JwtClaims, JwtSigningInput};
pub use svid::JwtSvid;
