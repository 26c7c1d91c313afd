//! One look at the files: what they hold, and whether it belongs together.

use std::path::Path;
use std::sync::Arc;

use finial_identity::{Bundle, BundleSet, PrivateKey, X509Credential, X509Svid};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::IdentityFiles;
use crate::{ReceiveError, SourceWriter, X509Context};

/// The most that one file may hold, in bytes; a bundle of hundreds of authorities fits.
const FILE_LIMIT: u64 = 1024 * 1024;

/// The bytes of the files, to tell whether anything changed.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    bundle: Zeroizing<Vec<u8>>,
}

/// What a look found.
pub(super) enum Loaded {
    /// The files hold what was published last.
    Unchanged,
    /// The files hold another identity, proven to belong together.
    Changed {
        /// Their bytes.
        contents: Contents,
        /// The identity.
        context: X509Context,
    },
}

/// Reads the files and proves what they hold, unless it equals `published`.
///
/// # Errors
/// [`ReceiveError::File`] naming the file at fault.
pub(super) async fn load(
    files: &IdentityFiles,
    published: Option<&Contents>,
    writer: &SourceWriter,
) -> Result<Loaded, ReceiveError> {
    let contents = Contents {
        certificate: read(&files.certificate).await?,
        key: read(&files.key).await?,
        bundle: read(&files.bundle).await?,
    };
    if published == Some(&contents) {
        return Ok(Loaded::Unchanged);
    }
    let (credential, bundles) = parse(files, &contents)?;
    let context = writer.prove(vec![credential], bundles).map_err(|cause| {
        fault(
            &files.bundle,
            "does not hold an authority of the certificate, or the certificate is not valid",
            cause,
        )
    })?;
    Ok(Loaded::Changed { contents, context })
}

fn parse(files: &IdentityFiles, contents: &Contents) -> Result<(X509Credential, BundleSet), ReceiveError> {
    let svid = X509Svid::parse_pem(&contents.certificate)
        .map_err(|cause| fault(&files.certificate, "holds no X509-SVID in PEM", cause))?;
    let trust_domain = svid.id().trust_domain();
    let key = parse_key(&files.key, &contents.key)?;
    let credential = X509Credential::new(svid, key, String::new())
        .map_err(|cause| fault(&files.key, "holds a key of another certificate", cause))?;
    let bundle = Bundle::parse_pem(trust_domain, &contents.bundle)
        .map_err(|cause| fault(&files.bundle, "holds no bundle in PEM", cause))?;
    Ok((credential, [Arc::new(bundle)].into_iter().collect()))
}

fn parse_key(path: &Path, pem: &[u8]) -> Result<PrivateKey, ReceiveError> {
    const FORM: &str =
        "holds no PKCS#8 private key in PEM: convert another form with `openssl pkcs8 -topk8 -nocrypt`";
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|cause| fault(path, FORM, cause))?;
    PrivateKey::from_pkcs8_der(der.secret_pkcs8_der())
        .map_err(|cause| fault(path, "holds a private key that cannot be used", cause))
}

pub(crate) async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    read_up_to(FILE_LIMIT, "is larger than 1 MiB", path).await
}

/// Reads a file of at most `limit` bytes; `excess` says what is wrong with a larger one.
pub(crate) async fn read_up_to(
    limit: u64,
    excess: &'static str,
    path: &Path,
) -> Result<Zeroizing<Vec<u8>>, ReceiveError> {
    let unreadable = |cause| fault(path, "cannot be read", cause);
    let file = File::open(path).await.map_err(unreadable)?;
    let length = file.metadata().await.map_err(unreadable)?.len().min(limit);
    // Room for the whole file and the end of it, so that no copy of a key is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 64));
    file.take(limit + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(ReceiveError::File { path: path.to_owned(), fault: excess, cause: None });
    }
    Ok(bytes)
}

pub(crate) fn fault(
    path: &Path,
    fault: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ReceiveError {
    ReceiveError::File { path: path.to_owned(), fault, cause: Some(cause.into()) }
}
