//! Certificates from their bytes up: an issuer that makes mistakes on purpose.

pub(crate) mod authority;
pub(crate) mod der;
pub(crate) mod draft;
pub(crate) mod extension;
pub(crate) mod keys;
pub(crate) mod weak;
