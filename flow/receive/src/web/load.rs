//! One look at the files of a web identity.

use std::path::Path;

use finial_daemon::Clock;
use finial_identity::{ForeignChain, Keystore, KeystoreError, PrivateKey, X509Authority};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Password, WebCredential, WebFiles, WebIdentity, WebPair, WebRoots};
use crate::ReceiveError;
use crate::files::load::{fault, read};

/// Reads the files and checks that what they hold belongs together.
///
/// # Errors
/// [`ReceiveError::File`] naming the file at fault, [`ReceiveError::NoSystemRoots`].
pub(super) async fn load(files: &WebFiles, clock: &Clock) -> Result<WebIdentity, ReceiveError> {
    let credential = match &files.own {
        Some(pair) => Some(load_credential(pair).await?),
        None => None,
    };
    Ok(WebIdentity::new(credential, load_roots(&files.roots).await?, clock.now()))
}

/// Reads the roots alone.
pub(super) async fn load_roots(roots: &WebRoots) -> Result<Vec<X509Authority>, ReceiveError> {
    match roots {
        WebRoots::None => Ok(Vec::new()),
        WebRoots::System => system_roots(),
        WebRoots::File(path) => read_roots(path).await,
    }
}

async fn load_credential(pair: &WebPair) -> Result<WebCredential, ReceiveError> {
    let WebPair { certificate, key, password } = pair;
    let content = read(certificate).await?;
    let (chain, own) = match Form::of(certificate, &content) {
        Form::Pem => {
            let chain = certificates(certificate, &content)?;
            let content = if key == certificate { content } else { read(key).await? };
            (chain, pem_key(key, &content)?)
        }
        Form::Pkcs12 if key == certificate => open_keystore(certificate, &content, password.as_ref())?,
        Form::Pkcs12 => {
            return Err(simple_fault(certificate, "is a PKCS#12 keystore: give it with --keystore alone"));
        }
        Form::Java => {
            const JAVA: &str = "is a Java keystore (JKS, JCEKS), which is not read: write it as PKCS#12 with `keytool -importkeystore -deststoretype pkcs12`";
            return Err(simple_fault(certificate, JAVA));
        }
    };
    let chain = ForeignChain::from_chain(chain)
        .map_err(|cause| fault(certificate, "holds no certificate that can be used", cause))?;
    WebCredential::new(chain, own).ok_or_else(|| simple_fault(key, "holds a key of another certificate"))
}

/// How a file holds what it holds.
enum Form {
    Pem,
    Pkcs12,
    Java,
}

impl Form {
    /// By its extension, and else by its first bytes, as ghostunnel tells them.
    fn of(path: &Path, content: &[u8]) -> Self {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("p12" | "pfx") => return Self::Pkcs12,
            Some("jceks" | "jks") => return Self::Java,
            Some("pem" | "crt") => return Self::Pem,
            _ => {}
        }
        match content {
            [0x30, ..] => Self::Pkcs12,
            [0xce, 0xce, 0xce, 0xce, ..] | [0xfe, 0xed, 0xfe, 0xed, ..] => Self::Java,
            _ => Self::Pem,
        }
    }
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKey);

fn open_keystore(
    path: &Path,
    content: &[u8],
    password: Option<&Password>,
) -> Result<ChainAndKey, ReceiveError> {
    let text = password.map_or("", |password| password.0.as_str());
    match Keystore::open(content, text) {
        Ok(Keystore { chain, key }) => Ok((chain, key)),
        Err(KeystoreError::Password) if password.is_none() => Err(simple_fault(
            path,
            "is a PKCS#12 keystore with a password: give it with --storepass or KEYSTORE_PASS",
        )),
        Err(cause) => Err(fault(path, "is no PKCS#12 keystore that can be opened", cause)),
    }
}

fn pem_key(path: &Path, content: &[u8]) -> Result<PrivateKey, ReceiveError> {
    let form = "holds no private key in PEM: an encrypted one is opened with `openssl pkey`";
    let key = PrivateKeyDer::from_pem_slice(content).map_err(|cause| fault(path, form, cause))?;
    PrivateKey::from_rustls(&key)
        .map_err(|cause| fault(path, "holds a private key that cannot be used", cause))
}

fn simple_fault(path: &Path, fault: &'static str) -> ReceiveError {
    ReceiveError::File { path: path.to_owned(), fault, cause: None }
}

async fn read_roots(path: &Path) -> Result<Vec<X509Authority>, ReceiveError> {
    let certificates = certificates(path, &read(path).await?)?;
    let parse = |certificate: CertificateDer<'static>| X509Authority::parse_der(certificate.to_vec());
    let roots: Result<Vec<_>, _> = certificates.into_iter().map(parse).collect();
    roots.map_err(|cause| fault(path, "holds an authority that cannot be used", cause))
}

/// There is at least one.
fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, ReceiveError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|cause| fault(path, "is no valid PEM", cause))?;
    if found.is_empty() {
        return Err(simple_fault(path, "holds no certificate in PEM"));
    }
    Ok(found)
}

/// Systems carry roots that are too old or odd to be used; the others count.
fn system_roots() -> Result<Vec<X509Authority>, ReceiveError> {
    let mut found = rustls_native_certs::load_native_certs();
    let parse = |certificate: CertificateDer<'static>| X509Authority::parse_der(certificate.to_vec()).ok();
    let roots: Vec<_> = found.certs.into_iter().filter_map(parse).collect();
    if roots.is_empty() {
        return Err(ReceiveError::NoSystemRoots(found.errors.pop().map(Box::new)));
    }
    Ok(roots)
}
