//! Whom a JWT-SVID is meant for.

use crate::JwtError;

/// One or more audiences, none of them empty (JWT-SVID §3.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience(Vec<String>);

impl Audience {
    /// Takes the audiences in order.
    ///
    /// # Errors
    /// [`JwtError::Audience`] when there is none, or one is empty.
    pub fn new(audiences: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, JwtError> {
        let audiences: Vec<String> = audiences.into_iter().map(Into::into).collect();
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return Err(JwtError::Audience);
        }
        Ok(Self(audiences))
    }

    /// The audiences, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
