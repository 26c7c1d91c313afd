//! One look at the files of a web identity.

use std::path::Path;

use finial_daemon::Clock;
use finial_identity::{ForeignChain, PrivateKey, X509Authority};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{WebCredential, WebFiles, WebIdentity, WebPair, WebRoots};
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
    let WebPair { certificate, key } = pair;
    let text = read(certificate).await?;
    refuse_keystores(certificate, &text)?;
    let chain = ForeignChain::from_chain(certificates(certificate, &text)?)
        .map_err(|cause| fault(certificate, "holds no certificate that can be used", cause))?;
    let text = if key == certificate { text } else { read(key).await? };
    let form = "holds no private key in PEM: an encrypted one is opened with `openssl pkey`";
    let own = PrivateKeyDer::from_pem_slice(&text).map_err(|cause| fault(key, form, cause))?;
    let own = PrivateKey::from_rustls(&own)
        .map_err(|cause| fault(key, "holds a private key that cannot be used", cause))?;
    WebCredential::new(chain, own).ok_or_else(|| ReceiveError::File {
        path: key.clone(),
        fault: "holds a key of another certificate",
        cause: None,
    })
}

/// What begins as these do is told by name, so that nobody looks for a fault in a file that has none.
fn refuse_keystores(path: &Path, content: &[u8]) -> Result<(), ReceiveError> {
    const PKCS12: &str =
        "is a PKCS#12 keystore, which is not read: write it as PEM with `openssl pkcs12 -nodes`";
    const JCEKS: &str = "is a Java keystore, which is not read: write it as PEM with `keytool -importkeystore` and `openssl pkcs12 -nodes`";
    let fault = match content {
        [0x30, ..] => PKCS12,
        [0xce, 0xce, 0xce, 0xce, ..] | [0xfe, 0xed, 0xfe, 0xed, ..] => JCEKS,
        _ => return Ok(()),
    };
    Err(ReceiveError::File { path: path.to_owned(), fault, cause: None })
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
        let fault = "holds no certificate in PEM";
        return Err(ReceiveError::File { path: path.to_owned(), fault, cause: None });
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
