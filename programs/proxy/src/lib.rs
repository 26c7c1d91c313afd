//! The TLS proxy
