//! What is said of lifetimes that do not fit together.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn warnings(edit: impl FnOnce(&mut IssueConfig)) -> Vec<String> {
    let mut config = IssueConfig::new(TrustDomain::parse("example.org").unwrap());
    edit(&mut config);
    config.check().unwrap();
    config.ttl_warnings()
}

#[test]
fn defaults_are_not_warned_about() {
    assert_eq!(warnings(|_| {}), Vec::<String>::new());
    assert_eq!(
        warnings(|config| config.default_x509_svid_ttl = Duration::from_hours(4)),
        Vec::<String>::new()
    );
}

#[test]
fn svid_that_its_authority_may_cut_short_is_warned_about_in_spires_words() {
    let said = warnings(|config| {
        config.ca_ttl = Duration::from_mins(5);
        config.default_x509_svid_ttl = Duration::from_mins(2);
        config.default_jwt_svid_ttl = Duration::from_secs(50);
    });
    assert_eq!(
        said,
        [
            "default_x509_svid_ttl is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be issued. \
          Please set default_x509_svid_ttl to 50s or less, or the ca_ttl to 12m or more, to guarantee the full \
          default_x509_svid_ttl lifetime when CA rotations are scheduled."
        ]
    );
}

#[test]
fn no_authority_lives_long_enough_for_more_than_a_week() {
    let said = warnings(|config| {
        config.ca_ttl = Duration::from_hours(24 * 365);
        config.agent_ttl = Some(Duration::from_hours(24 * 8));
    });
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("set agent_ttl to 168h or less, to guarantee"), "{}", said[0]);
}

#[test]
fn authorities_have_the_four_kinds_of_keys() {
    for kind in [KeyKind::Rsa { bits: 2048 }, KeyKind::Rsa { bits: 4096 }, KeyKind::EcP256, KeyKind::EcP384] {
        assert_eq!(warnings(|config| config.jwt_key_type = Some(kind)), Vec::<String>::new());
    }
    for kind in [KeyKind::Rsa { bits: 3072 }, KeyKind::EcP521, KeyKind::Ed25519] {
        let mut config = IssueConfig::new(TrustDomain::parse("example.org").unwrap());
        config.jwt_key_type = Some(kind);
        assert!(matches!(config.check(), Err(IssueError::AuthorityKey { key: "jwt_key_type", .. })));
    }
}
