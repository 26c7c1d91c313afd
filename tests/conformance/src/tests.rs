#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use finial_testkit::{skip, tests_of_the_workspace};

use crate::judges::{OpenSsl, Python, refusal};
use crate::limbo::{Limbo, Verdict};
use crate::place::{LIMBO, LIMBO_PAGE, SVID, SVID_PAGE, path};
use crate::{generate, limbo_page, svid_page};

/// Right, and refused by us all the same, with the reason.
const TOO_STRICT: &[(&str, &str)] = &[
    ("validity::year-1950", "times before 1970 cannot be read; no SVID begins there"),
    ("constraints::uri-permitted-in-anchor", URI),
    ("constraints::uri-permitted-in-intermediate", URI),
    ("constraints::uri-not-excluded-in-anchor", URI),
    ("constraints::uri-not-excluded-in-intermediate", URI),
    ("constraints::uri-below-permitted-in-anchor", URI),
    ("constraints::uri-below-permitted-in-intermediate", URI),
    ("encodings::unique-id", "webpki knows no unique IDs, which RFC 5280 §4.1.2.8 forbids to issuers"),
];

const URI: &str = "webpki refuses every constraint on URI names, matching or not";

fn corpus() -> Limbo {
    Limbo::read(&path(SVID)).unwrap()
}

#[test]
fn no_case_is_accepted_that_must_be_refused() {
    let accepted: Vec<_> = corpus()
        .testcases
        .into_iter()
        .filter(|case| case.expected_result == Verdict::Refuses && refusal(case).unwrap().is_none())
        .map(|case| case.id)
        .collect();
    assert_eq!(accepted, Vec::<String>::new());
}

#[test]
fn no_case_is_refused_that_must_be_accepted_but_for_those_listed() {
    let refused = corpus().testcases.into_iter().filter(|case| case.expected_result == Verdict::Accepts);
    let refused: Vec<_> =
        refused.filter_map(|case| Some((case.id.clone(), refusal(&case).unwrap()?))).collect();
    let ids: Vec<_> = refused.iter().map(|(id, _)| id.as_str()).collect();
    let listed: Vec<_> = TOO_STRICT.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, listed, "{refused:#?}");
}

#[test]
fn corpus_is_what_the_program_makes() {
    let committed = corpus();
    let made = generate(Some(&committed)).unwrap();
    let pairs = committed.testcases.iter().zip(&made.testcases);
    let differing: Vec<_> =
        pairs.filter(|(committed, made)| committed != made).map(|(it, _)| &it.id).collect();
    assert!(committed == made, "run `make conformance`: it differs in {differing:?}");
}

#[test]
fn corpus_has_200_cases_and_each_a_name_of_its_own() {
    let cases = corpus().testcases;
    assert!(cases.len() >= 200, "{}", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| &case.id).collect();
    assert_eq!(names.len(), cases.len());
    let leaves: BTreeSet<_> = cases
        .iter()
        .map(|case| {
            (
                &case.peer_certificate,
                &case.untrusted_intermediates,
                &case.trusted_certs,
                case.validation_kind == crate::Kind::Client,
            )
        })
        .collect();
    assert_eq!(leaves.len(), cases.len(), "two cases show a verifier the same");
}

#[test]
fn page_about_our_corpus_says_what_is_so_today() {
    missing();
    let written = std::fs::read_to_string(path(SVID_PAGE)).unwrap();
    same(&svid_page(&corpus(), &written).unwrap(), &written);
}

#[test]
fn page_about_limbo_says_what_openssl_says_today() {
    missing();
    let written = std::fs::read_to_string(path(LIMBO_PAGE)).unwrap();
    same(&limbo_page(&Limbo::read(&path(LIMBO)).unwrap(), &written).unwrap(), &written);
}

/// Says whose column was not looked at.
fn missing() {
    if Python::found().is_none() {
        skip("py-spiffe", true, "its verdicts on tests/data/x509-svid.json were not asked for");
    }
    let limbo = std::fs::read_to_string(path(LIMBO_PAGE)).unwrap();
    match OpenSsl::found() {
        None => skip("openssl", true, "its verdicts on the corpora were not asked for"),
        Some(it) if !limbo.contains(&format!("| {} |", it.version)) => {
            skip(
                "openssl",
                false,
                &format!("the pages are not about {}: run `make conformance`", it.version),
            );
        }
        Some(_) => {}
    }
}

fn same(now: &str, written: &str) {
    let differing = now.lines().zip(written.lines()).find(|(now, written)| now != written);
    assert!(differing.is_none() && now == written, "run `make conformance`: {differing:#?}");
}

/// The lines of docs/conformance.md, by their standards.
const STANDARDS: &[(&str, usize)] = &[
    ("SID", 23),
    ("XSV", 21),
    ("JSV", 16),
    ("WIT", 14),
    ("TDB", 10),
    ("BMP", 4),
    ("FED", 20),
    ("WEP", 15),
    ("WAP", 26),
    ("BRK", 15),
];

#[test]
fn page_about_the_standards_names_every_line_once_and_only_tests_that_exist() {
    let page = std::fs::read_to_string(path("docs/conformance.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|row| row.len() == 5 && row[0].contains('-') && !row[0].starts_with('-'))
        .collect();
    let expected =
        STANDARDS.iter().flat_map(|(name, count)| (1..=*count).map(move |n| format!("{name}-{n:02}")));
    assert_eq!(rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let tests = tests_of_the_workspace();
    for row in rows {
        let named: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || row[4].starts_with("not built"), "{}: {}", row[0], row[4]);
        for name in named {
            assert!(tests.contains(name), "{}: there is no test {name}", row[0]);
        }
    }
}

#[test]
fn every_line_of_the_workload_endpoint_and_api_that_is_built_has_a_test_of_its_name() {
    let page = std::fs::read_to_string(path("docs/conformance.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with("| WEP-") || line.starts_with("| WAP-"));
    for line in lines.filter(|line| !line.contains("| not built")) {
        let (kind, number) = (line[2..5].to_lowercase(), &line[6..8]);
        let is_named =
            |name: &str| name.contains(&format!("{kind}_{number}_")) || name.contains(&format!("_{number}_"));
        assert!(line.split('`').skip(1).step_by(2).any(is_named), "{line}");
    }
}
