//! `on`: of which deliveries somebody is told.

use std::fmt;

use finial_daemon::hcl::{Block, HclError};

use crate::Delivered;

/// Some of what is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds {
    x509: bool,
    jwt: bool,
    jwt_bundle: bool,
}

impl Kinds {
    pub(crate) const ALL: Self = Self { x509: true, jwt: true, jwt_bundle: true };

    /// How often one of these was delivered. Only grows.
    pub(crate) fn count(self, delivered: &Delivered) -> u64 {
        let counts =
            [(self.x509, delivered.x509), (self.jwt, delivered.jwt), (self.jwt_bundle, delivered.jwt_bundle)];
        counts.into_iter().filter(|(is_one, _)| *is_one).map(|(_, count)| count).sum()
    }
}

/// All, where the key is absent.
pub(super) fn take(block: &mut Block) -> Result<Kinds, HclError> {
    let Some(names) = block.take::<Vec<String>>("on")? else { return Ok(Kinds::ALL) };
    let mut kinds = Kinds { x509: false, jwt: false, jwt_bundle: false };
    for name in &names {
        match name.as_str() {
            "x509" => kinds.x509 = true,
            "jwt" => kinds.jwt = true,
            "jwt_bundle" => kinds.jwt_bundle = true,
            other => {
                let problem = format!(
                    "on: `{}` is nothing that is delivered: write x509, jwt or jwt_bundle",
                    other.escape_debug()
                );
                return Err(block.error_at("on", &problem));
            }
        }
    }
    if names.is_empty() {
        return Err(block.error_at("on", "on is empty: write x509, jwt or jwt_bundle, or remove it"));
    }
    Ok(kinds)
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.x509, "x509"), (self.jwt, "jwt"), (self.jwt_bundle, "jwt_bundle")];
        let names = names.into_iter().filter(|(is_one, _)| *is_one).map(|(_, name)| name);
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}
