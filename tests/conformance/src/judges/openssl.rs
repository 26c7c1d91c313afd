//! OpenSSL's `verify`, the judge of chains that most of the world runs. It knows nothing of SPIFFE.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use finial_testkit::{installed, run};

use crate::limbo::{Case, Kind, Verdict};

/// The program that is installed.
pub(crate) struct OpenSsl {
    program: PathBuf,
    /// `OpenSSL 3.0.19`.
    pub(crate) version: String,
    scratch: tempfile::TempDir,
}

impl OpenSsl {
    /// None when it is not installed.
    pub(crate) fn found() -> Option<Self> {
        let program = installed("openssl")?;
        let version = run(Command::new(&program).arg("version")).expect_success();
        let version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
        Some(Self { program, version, scratch: tempfile::tempdir().ok()? })
    }

    /// What `openssl verify -x509_strict` says, with the case's names, depth and revocation lists.
    pub(crate) fn verdict(&self, case: &Case) -> anyhow::Result<Verdict> {
        let file = |name: &str, texts: &[String]| -> anyhow::Result<PathBuf> {
            let path = self.scratch.path().join(name);
            std::fs::write(&path, texts.join("\n")).context("cannot write for openssl")?;
            Ok(path)
        };
        let mut command = Command::new(&self.program);
        command.args(["verify", "-x509_strict", "-partial_chain", "-no-CAfile", "-no-CApath", "-no-CAstore"]);
        command.args(["-attime", &case.at()?.to_string()]);
        command.arg("-trusted").arg(file("anchors.pem", &case.trusted_certs)?);
        if !case.untrusted_intermediates.is_empty() {
            command.arg("-untrusted").arg(file("above.pem", &case.untrusted_intermediates)?);
        }
        command
            .args(["-purpose", if case.validation_kind == Kind::Client { "sslclient" } else { "sslserver" }]);
        for name in case.expected_peer_name.iter().chain(&case.expected_peer_names) {
            let option = match name.kind.as_str() {
                "DNS" => "-verify_hostname",
                "IP" => "-verify_ip",
                "RFC822" => "-verify_email",
                _ => continue,
            };
            command.args([option, &name.value]);
        }
        if let Some(depth) = case.max_chain_depth {
            command.args(["-verify_depth", &depth.to_string()]);
        }
        if !case.crls.is_empty() {
            command.arg("-crl_check").arg("-CRLfile").arg(file("lists.pem", &case.crls)?);
        }
        command.arg(file("leaf.pem", std::slice::from_ref(&case.peer_certificate))?);
        // It reads a few small files and ends; polling for that would take longer than it does.
        let answer = command.stdin(Stdio::null()).output().context("openssl does not start")?;
        Ok(if answer.status.success() { Verdict::Accepts } else { Verdict::Refuses })
    }
}
