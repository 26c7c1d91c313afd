//! Receive: take the identity
