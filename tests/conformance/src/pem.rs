//! PEM: what the corpora hold certificates in.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// DER in PEM, with lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The one certificate in PEM.
pub(crate) fn certificate(text: &str) -> anyhow::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(text.as_bytes()).context("it is no certificate in PEM")
}
