//! Path validation against a public corpus of hard cases (tests/data/README.md says where it comes from).
//!
//! docs/conformance/x509-limbo.md lists every case: what is right, what is decided here, and whether it applies to SPIFFE,
//! or one of a few reasons why not. A case that applies is decided rightly; any that changes sides fails, whichever way
//! it goes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;
use x509_cert::der::DateTime;

use super::{
    RevocationLists, Role, X509Authority,
    certificate::CertificateView,
    leaf::{check_subject, check_usage},
    svid::signers,
    verify::{Anchors, verify_path},
};
use crate::{PublicKey, testing::now};

const CORPUS: &str = include_str!("../../../../tests/data/x509-limbo.json");
const PAGE: &str = include_str!("../../../../docs/conformance/x509-limbo.md");

/// Why a case does not apply; the page says what each means.
const REASONS: &[&str] =
    &["host name", "web PKI", "issuing", "constraints", "leaf", "depth", "self-issued", "cost"];

#[derive(Deserialize)]
struct Corpus {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: String,
    crls: Vec<String>,
}

impl Case {
    fn is_right_to_accept(&self) -> bool {
        self.expected_result == "SUCCESS"
    }

    /// As an X.509-SVID is read and verified, but for the leaf's SPIFFE ID and its key usage, which few cases have.
    fn is_accepted(&self) -> bool {
        let at = self.at();
        let role = if self.validation_kind == "CLIENT" { Role::Client } else { Role::Server };
        let authorities: Vec<X509Authority> = self
            .trusted_certs
            .iter()
            .filter_map(|text| X509Authority::parse_der(der(text).to_vec()).ok())
            .collect();
        let anchors = Anchors::at(&authorities, at);
        let leaf = der(&self.peer_certificate);
        let intermediates: Vec<_> = self.untrusted_intermediates.iter().map(|text| der(text)).collect();
        let (Ok(view), Ok(signers)) = (CertificateView::parse(&leaf), signers(&intermediates)) else {
            return false;
        };
        let lists = match self.crls.is_empty() {
            true => Ok(RevocationLists::default()),
            false => RevocationLists::parse(self.crls.join("\n").as_bytes()),
        };
        let Ok(lists) = lists else { return false };
        let verified =
            verify_path(&leaf, &signers, &anchors, at, role, |path| lists.check(path, &anchors, at));
        PublicKey::from_spki_der(&view.spki).is_ok()
            && check_subject(&view).is_ok()
            && view.key_usage.as_ref().is_none_or(|_| check_usage(&view).is_ok())
            && verified.is_ok_and(|unrevoked| unrevoked.is_ok())
    }

    fn at(&self) -> SystemTime {
        let Some(text) = &self.validation_time else { return now() };
        let text = text.strip_suffix("+00:00").expect("UTC");
        let (seconds, millis) = text.split_once('.').unwrap_or((text, "0"));
        let whole: DateTime = format!("{seconds}Z").parse().unwrap();
        SystemTime::UNIX_EPOCH + whole.unix_duration() + Duration::from_millis(millis.parse().unwrap())
    }
}

/// A row of the page.
struct Row {
    is_right_to_accept: bool,
    is_accepted: bool,
    applies: &'static str,
}

fn rows() -> BTreeMap<&'static str, Row> {
    let lines = PAGE.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let accepts = |cell: &str| match cell.trim_matches('*') {
            "accepts" => true,
            "refuses" => false,
            other => panic!("{line}: {other} is no verdict"),
        };
        let row =
            Row { is_right_to_accept: accepts(cells[2]), is_accepted: accepts(cells[3]), applies: cells[5] };
        (cells[0].trim_matches('`'), row)
    };
    lines.map(row).collect()
}

fn der(text: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(text.as_bytes()).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Corpus>(CORPUS).unwrap().testcases
}

#[test]
fn xsv_17_limbo_is_decided_as_the_page_says() {
    let rows = rows();
    let differing = cases().into_iter().filter_map(|case| {
        let (right, ours) = (case.is_right_to_accept(), case.is_accepted());
        let row = rows.get(case.id.as_str());
        let is_same = row.is_some_and(|row| (row.is_right_to_accept, row.is_accepted) == (right, ours));
        (!is_same).then(|| format!("{}: right {right}, ours {ours}", case.id))
    });
    let differing: Vec<_> = differing.collect();
    assert!(differing.is_empty(), "the page says otherwise of\n{}", differing.join("\n"));
}

#[test]
fn xsv_17_limbo_cases_that_apply_are_decided_rightly() {
    let rows = rows();
    let applying: Vec<_> = rows.iter().filter(|(_, row)| row.applies == "yes").collect();
    let wrong = applying.iter().filter(|(_, row)| row.is_accepted != row.is_right_to_accept);
    assert_eq!(wrong.map(|(id, _)| **id).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(applying.len() >= 78, "{} apply", applying.len());
}

#[test]
fn limbo_page_lists_every_case_with_yes_or_a_known_reason() {
    let rows = rows();
    assert_eq!((cases().len(), rows.len()), (208, 208));
    for (id, row) in rows {
        assert!(row.applies == "yes" || REASONS.contains(&row.applies), "{id}: {}", row.applies);
    }
    for reason in REASONS {
        assert!(PAGE.contains(&format!("- **{reason}**: ")), "the page does not explain {reason}");
    }
}
