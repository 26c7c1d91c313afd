//! Path validation against a public corpus of hard cases (tests/data/README.md says where it comes from).
//!
//! Every case has the outcome the corpus asks for, or stands in a list below with the reason why not. A case that
//! changes sides fails, whichever way it goes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use x509_cert::der::DateTime;

use super::{
    Role, X509Authority,
    certificate::CertificateView,
    leaf::check_usage,
    svid::signers,
    verify::{Anchors, verify_path},
};
use crate::{PublicKey, testing::now};

const CORPUS: &str = include_str!("../../../../tests/data/x509-limbo.json");

/// Valid by the corpus, refused here.
const STRICTER: &[(&str, &str)] = &[
    ("pathlen::validation-ignores-pathlen-in-leaf", CA_LEAF),
    ("pathlen::self-issued-certs-pathlen", SELF_ISSUED),
    ("rfc5280::nc::permitted-dn-match", NAME_CONSTRAINTS),
    ("rfc5280::nc::permitted-self-issued", SELF_ISSUED),
    ("rfc5280::nc::nc-permits-email-exact", NAME_CONSTRAINTS),
    ("rfc5280::nc::nc-permits-email-domain", NAME_CONSTRAINTS),
    ("rfc5280::nc::nc-permits-email-literal-asterisk-exact-match", NAME_CONSTRAINTS),
    ("rfc5280::nc::nc-permits-email-literal-double-asterisk", NAME_CONSTRAINTS),
    ("rfc5280::nc::nc-permits-email-literal-mid-asterisk", NAME_CONSTRAINTS),
    ("rfc5280::ca-as-leaf", CA_LEAF),
];

const CA_LEAF: &str = "a certificate authority is never a leaf (X509-SVID §5.2)";
const SELF_ISSUED: &str =
    "webpki gives self-issued certificates no exemption; key rollover needs none in SPIFFE";
const NAME_CONSTRAINTS: &str =
    "webpki evaluates constraints on DNS names and addresses only, and refuses others";

/// Not valid by the corpus, accepted here.
const LAXER: &[(&str, &str)] = &[
    (
        "pathological::nc-dos-3",
        "valid but for its cost, and of no cost here: subjects are not compared with the constraints",
    ),
    ("rfc5280::aki::leaf-missing-aki", ISSUER),
    ("rfc5280::aki::intermediate-missing-aki", ISSUER),
    ("rfc5280::aki::cross-signed-root-missing-aki", ISSUER),
    (
        "rfc5280::nc::permitted-dns-match-noncritical",
        "the constraint is applied all the same; the web PKI allows it",
    ),
    ("rfc5280::nc::invalid-dnsname-leading-period", "webpki reads the form that is common in the web PKI"),
    ("rfc5280::nc::not-allowed-in-ee-noncritical", ISSUER),
    ("rfc5280::nc::not-allowed-in-ee-critical", ISSUER),
    (
        "rfc5280::pc::ica-noncritical-pc",
        "policies are not evaluated; a critical constraint on them is refused",
    ),
    ("rfc5280::serial::zero", ISSUER),
    ("rfc5280::ski::critical-ski", ISSUER),
    ("rfc5280::ski::root-missing-ski", ISSUER),
    ("rfc5280::ski::intermediate-missing-ski", ISSUER),
    ("rfc5280::ca-empty-subject", ISSUER),
    ("rfc5280::root-non-critical-basic-constraints", ISSUER),
    ("webpki::aki::root-with-aki-missing-keyidentifier", WEB),
    ("webpki::aki::root-with-aki-authoritycertissuer", WEB),
    ("webpki::aki::root-with-aki-authoritycertserialnumber", WEB),
    ("webpki::aki::root-with-aki-all-fields", WEB),
    ("webpki::aki::root-with-aki-ski-mismatch", WEB),
    ("webpki::eku::ee-anyeku", WEB),
    ("webpki::eku::ee-critical-eku", WEB),
    ("webpki::eku::ee-without-eku", WEB),
    ("webpki::eku::root-has-eku", WEB),
    ("webpki::nc::intermediate-permitted-excluded-subtrees-both-null", WEB),
    ("webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences", WEB),
    ("webpki::malformed-aia", "nothing here looks at where to fetch issuers"),
    ("webpki::forbidden-rsa-not-divisible-by-8-in-root", WEB),
    ("webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf", WEB),
];

const ISSUER: &str = "RFC 5280 asks this of issuers; its path validation (§6) does not look at it";
const WEB: &str = "a rule of the web PKI, not of RFC 5280 or SPIFFE";

#[derive(Deserialize)]
struct Corpus {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    role: String,
    valid: bool,
    time: Option<String>,
    trusted: Vec<String>,
    intermediates: Vec<String>,
    leaf: String,
}

impl Case {
    /// As an X.509-SVID is read and verified, but for the leaf's SPIFFE ID and its key usage, which few cases have.
    fn is_accepted(&self) -> bool {
        let (at, role) = (self.at(), if self.role == "client" { Role::Client } else { Role::Server });
        let authorities: Vec<X509Authority> =
            self.trusted.iter().filter_map(|text| X509Authority::parse_der(der(text)).ok()).collect();
        let anchors = Anchors::at(&authorities, at);
        let leaf = CertificateDer::from(der(&self.leaf));
        let intermediates: Vec<_> = self.intermediates.iter().map(|text| der(text).into()).collect();
        let (Ok(view), Ok(signers)) = (CertificateView::parse(&leaf), signers(&intermediates)) else {
            return false;
        };
        PublicKey::from_spki_der(&view.spki).is_ok()
            && view.key_usage.as_ref().is_none_or(|_| check_usage(&view).is_ok())
            && verify_path(&leaf, &signers, &anchors, at, role, |_| ()).is_ok()
    }

    fn at(&self) -> SystemTime {
        let Some(text) = &self.time else { return now() };
        let text = text.strip_suffix("+00:00").expect("UTC");
        let (seconds, millis) = text.split_once('.').unwrap_or((text, "0"));
        let whole: DateTime = format!("{seconds}Z").parse().unwrap();
        SystemTime::UNIX_EPOCH + whole.unix_duration() + Duration::from_millis(millis.parse().unwrap())
    }
}

fn der(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Corpus>(CORPUS).unwrap().testcases
}

#[test]
fn xsv_17_corpus_is_decided_as_it_asks_but_for_the_listed_cases() {
    let mut stricter = Vec::new();
    let mut laxer = Vec::new();
    for case in cases() {
        match (case.valid, case.is_accepted()) {
            (true, false) => stricter.push(case.id),
            (false, true) => laxer.push(case.id),
            _ => {}
        }
    }
    let ids = |list: &[(&str, &str)]| list.iter().map(|(id, _)| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(stricter, ids(STRICTER), "valid by the corpus, refused here");
    assert_eq!(laxer, ids(LAXER), "not valid by the corpus, accepted here");
}

#[test]
fn corpus_is_whole() {
    assert_eq!(cases().len(), 162);
}
