//! How SVIDs and authorities are made: types of keys, subject, lifetimes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use finial_daemon::hcl::{Block, HclError};
use finial_identity::KeyKind;
use finial_issue::{CaSubject, IssueConfig};

use super::set;

/// Reads the keys of the block `server` that are about authorities and what they sign.
pub(super) fn read(server: &mut Block, issue: &mut IssueConfig) -> Result<(), HclError> {
    set(&mut issue.ca_ttl, positive(server, "ca_ttl")?);
    set(&mut issue.default_x509_svid_ttl, positive(server, "default_x509_svid_ttl")?);
    set(&mut issue.default_jwt_svid_ttl, positive(server, "default_jwt_svid_ttl")?);
    issue.agent_ttl = positive(server, "agent_ttl")?;
    set(&mut issue.ca_key_type, key_type(server, "ca_key_type")?);
    issue.jwt_key_type = key_type(server, "jwt_key_type")?;
    issue.jwt_issuer = server.take_unless_empty("jwt_issuer")?;
    if let Some(mut subject) = server.take_block("ca_subject")? {
        // A subject that is given replaces the default as a whole, as in SPIRE.
        issue.ca_subject = CaSubject {
            country: subject.take("country")?.unwrap_or_default(),
            organization: subject.take("organization")?.unwrap_or_default(),
            common_name: subject.take("common_name")?.unwrap_or_default(),
        };
        subject.finish()?;
    }
    Ok(())
}

fn positive(block: &mut Block, key: &'static str) -> Result<Option<Duration>, HclError> {
    match block.take(key)? {
        Some(Duration::ZERO) => Err(block.error_at(key, &format!("{key} must be longer than 0s"))),
        span => Ok(span),
    }
}

fn key_type(block: &mut Block, key: &'static str) -> Result<Option<KeyKind>, HclError> {
    Ok(block.take_parsed::<KeyType>(key)?.map(|KeyType(kind)| kind))
}

/// A kind of key by SPIRE's name for it.
struct KeyType(KeyKind);

#[derive(Debug)]
struct UnknownKeyType(String);

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(name: &str) -> Result<Self, UnknownKeyType> {
        match name {
            "rsa-2048" => Ok(Self(KeyKind::Rsa { bits: 2048 })),
            "rsa-4096" => Ok(Self(KeyKind::Rsa { bits: 4096 })),
            "ec-p256" => Ok(Self(KeyKind::EcP256)),
            "ec-p384" => Ok(Self(KeyKind::EcP384)),
            _ => Err(UnknownKeyType(name.to_owned())),
        }
    }
}

impl fmt::Display for UnknownKeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(
            f,
            "key type \"{name}\" is unknown: use \"rsa-2048\", \"rsa-4096\", \"ec-p256\" or \"ec-p384\""
        )
    }
}
