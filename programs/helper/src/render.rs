//! From what was received to the bytes of files: no I/O, no clock, nothing kept.

mod certificates;
mod credential_folder;
mod stores;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use finial_identity::{BundleSet, JwtSvid, KeystoreError, X509Credential};
use finial_receive::X509Context;
use zeroize::Zeroizing;

use self::certificates::Certificates;
pub(crate) use self::credential_folder::is_of_credential_folder;
use crate::{FileName, JwtOutput, Mode, Place, PlaceError, Whose, X509Output};

/// A file as it is to stand in the folder.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) name: FileName,
    pub(crate) mode: Mode,
    pub(crate) turn: Turn,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// When a file takes its place among those of one update that cannot take theirs at once: a reader who looks in the
/// meantime then trusts more rather than less, and finds the key by the time it sees another certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    Trust,
    Key,
    Chain,
    /// What depends on no other file.
    Whole,
}

/// What was received cannot be written in the form that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No X.509-SVID has the hint.
    #[error("failed to find the hinted x509 SVID: none has the hint `{hint}`, the agent gave {given}")]
    X509Hint {
        /// The hint.
        hint: String,
        /// The hints that there are.
        given: String,
    },
    /// No JWT-SVID has the hint.
    #[error("failed to find the hinted JWT SVID: none has the hint `{hint}`, the agent gave {given}")]
    JwtHint {
        /// The hint.
        hint: String,
        /// The hints that there are.
        given: String,
    },
    /// No X.509-SVID has the SPIFFE ID.
    #[error("no X509-SVID is of {id}: the agent gave {given}")]
    X509Id {
        /// The ID.
        id: String,
        /// The IDs that there are.
        given: String,
    },
    /// The name of a trust domain cannot be that of a file.
    #[error("a trust domain cannot be part of a file name")]
    Name(#[from] PlaceError),
    /// A keystore could not be written.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
}

/// The files of one X.509 output. `password` is that of its keystores, if it has some.
pub(crate) fn x509(
    output: &X509Output,
    context: &X509Context,
    password: &str,
    at: SystemTime,
) -> Result<Vec<Rendered>, RenderError> {
    let credential = credential(&output.whose, context.credentials())?;
    let certificates = Certificates::of(output, credential, context.bundles(), at);
    let mut files = Vec::new();
    if let Some(place) = &output.bundle {
        files.push(file(place, Turn::Trust, certificates.bundle_pem()));
    }
    if let Some((chain, key)) = &output.pair {
        files.push(file(key, Turn::Key, credential.key().to_pem().as_bytes().to_vec()));
        files.push(file(chain, Turn::Chain, certificates.chain_pem()));
    }
    if let Some(place) = &output.combined {
        let both = [&certificates.chain_pem()[..], credential.key().to_pem().as_bytes()].concat();
        files.push(file(place, Turn::Whole, both));
    }
    if let Some(place) = &output.keystore {
        files.push(sealed(place, stores::keystore(&certificates, credential.key(), password)?));
    }
    if let Some(place) = &output.truststore {
        files.push(sealed(place, stores::truststore(&certificates, password)?));
    }
    if let Some(modes) = output.credential_folder {
        files.extend(credential_folder::files(modes, credential.key(), context.bundles(), &certificates)?);
    }
    Ok(files)
}

/// The file of a token, without a line feed.
pub(crate) fn jwt(output: &JwtOutput, svid: &JwtSvid) -> Rendered {
    file(&output.token, Turn::Whole, svid.token().as_bytes().to_vec())
}

/// The JWT bundles of all trust domains, as spiffe-helper writes them: a JSON object of JWK Sets in base64.
pub(crate) fn jwt_bundles(place: &Place, bundles: &BundleSet) -> Rendered {
    let mut text = String::from("{");
    for (count, bundle) in bundles.iter().enumerate() {
        let comma = if count == 0 { "" } else { "," };
        // Neither a trust domain nor base64 has a character that JSON escapes. Writing to a string does not fail.
        let _ = write!(text, "{comma}\"{}\":\"{}\"", bundle.trust_domain, STANDARD.encode(bundle.to_jwks()));
    }
    text.push('}');
    file(place, Turn::Trust, text.into_bytes())
}

/// Which of the tokens that came is wanted.
pub(crate) fn hinted(hint: &str, svids: Vec<JwtSvid>) -> Result<JwtSvid, RenderError> {
    let given = list(svids.iter().map(JwtSvid::hint));
    let found = svids.into_iter().find(|svid| svid.hint() == hint);
    found.ok_or_else(|| RenderError::JwtHint { hint: hint.to_owned(), given })
}

/// Which of the identities that came is wanted.
pub(crate) fn credential<'a>(
    whose: &Whose,
    credentials: &'a [Arc<X509Credential>],
) -> Result<&'a X509Credential, RenderError> {
    let ids = || list(credentials.iter().map(|credential| credential.svid().id().as_str()));
    let found = |wanted: &dyn Fn(&X509Credential) -> bool| {
        credentials.iter().map(Arc::as_ref).find(|credential| wanted(credential))
    };
    match whose {
        Whose::Default => found(&|_| true)
            .ok_or_else(|| RenderError::X509Id { id: "this process".to_owned(), given: ids() }),
        Whose::Hint(hint) => {
            found(&|credential| credential.hint() == hint).ok_or_else(|| RenderError::X509Hint {
                hint: hint.clone(),
                given: list(credentials.iter().map(|credential| credential.hint())),
            })
        }
        Whose::Id(id) => found(&|credential| credential.svid().id() == id)
            .ok_or_else(|| RenderError::X509Id { id: id.to_string(), given: ids() }),
    }
}

fn file(place: &Place, turn: Turn, bytes: Vec<u8>) -> Rendered {
    sealed_as(place, turn, Zeroizing::new(bytes))
}

fn sealed(place: &Place, bytes: Zeroizing<Vec<u8>>) -> Rendered {
    sealed_as(place, Turn::Whole, bytes)
}

fn sealed_as(place: &Place, turn: Turn, bytes: Zeroizing<Vec<u8>>) -> Rendered {
    Rendered { name: place.name.clone(), mode: place.mode, turn, bytes }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted = texts.map(|text| format!("`{}`", text.escape_debug())).collect::<Vec<_>>();
    if quoted.is_empty() { "none".to_owned() } else { quoted.join(", ") }
}

/// Without the bytes, which may be a key.
impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rendered({}, {}, …)", self.name, self.mode)
    }
}
