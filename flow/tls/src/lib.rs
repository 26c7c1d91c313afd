//! TLS: use the identity
