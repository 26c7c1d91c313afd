//! Signatures over hashes that are broken: no library signs so any more, so the OpenSSL program does. What it once signed is
//! kept in the corpus, so that it is only needed for new cases.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use aws_lc_rs::signature::{self, VerificationAlgorithm};

use super::der::{NULL, oid, sequence};

/// A signature algorithm that nobody may use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weak {
    EcdsaSha1,
    RsaSha1,
    RsaMd5,
    /// Its parameters are left out, and mean this (RFC 4055 §3.1).
    PssSha1,
}

impl Weak {
    pub(super) fn identifier(self) -> Vec<u8> {
        match self {
            Self::EcdsaSha1 => sequence(&[&oid("1.2.840.10045.4.1")]),
            Self::RsaSha1 => sequence(&[&oid("1.2.840.113549.1.1.5"), NULL]),
            Self::RsaMd5 => sequence(&[&oid("1.2.840.113549.1.1.4"), NULL]),
            Self::PssSha1 => sequence(&[&oid("1.2.840.113549.1.1.10"), &sequence(&[])]),
        }
    }

    pub(super) fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::EcdsaSha1 => Some(&signature::ECDSA_P256_SHA1_ASN1),
            Self::RsaSha1 => Some(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            Self::RsaMd5 | Self::PssSha1 => None,
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::EcdsaSha1 | Self::RsaSha1 => &["-sha1"],
            Self::RsaMd5 => &["-md5"],
            Self::PssSha1 => &["-sha1", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"],
        }
    }

    pub(super) fn sign(self, key: &str, message: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key.pem");
        std::fs::write(&file, key).expect("a key can be written");
        let mut openssl = Command::new("openssl");
        openssl.arg("dgst").args(self.options()).arg("-sign").arg(file);
        let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl");
        openssl.stdin.take().expect("a pipe").write_all(message).expect("openssl reads");
        let signed = openssl.wait_with_output().expect("openssl ends");
        assert!(signed.status.success(), "openssl signs with {self:?}");
        signed.stdout
    }
}
