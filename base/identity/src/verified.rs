//! The proof that a document was verified, which only this crate's verification can give.

use std::ops::Deref;

/// A `T` whose signature, validity and SPIFFE rules were checked against a bundle.
///
/// There is no public constructor: a function that takes a `Verified<X509Svid>` cannot be reached with a document
/// that nobody checked. It says nothing about *when*: a document expires, and trust is withdrawn, after the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(checked: T) -> Self {
        Self(checked)
    }

    /// The document itself, giving up the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
