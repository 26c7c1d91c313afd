//! What an Envoy may override.

use finial_wire::EnvoyNode;

use super::{SdsOptions, Settings};

fn settings(metadata: &[(&str, &str)], version: Option<(u32, u32)>, options: &SdsOptions) -> Settings {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::of(options, &EnvoyNode { metadata: metadata.collect(), version, ..EnvoyNode::default() })
}

#[test]
fn defaults_are_those_of_spire() {
    let settings = settings(&[], None, &SdsOptions::default());
    assert_eq!(settings.svid_name, "default");
    assert_eq!(settings.bundle_name, "ROOTCA");
    assert_eq!(settings.all_bundles_name, "ALL");
    assert!(settings.has_spiffe_validator);
}

#[test]
fn empty_and_unreadable_values_override_nothing() {
    let disabled = SdsOptions { disable_spiffe_cert_validation: true, ..SdsOptions::default() };
    let metadata = [("default_svid_name", ""), ("disable_spiffe_cert_validation", "yes")];
    let settings = settings(&metadata, None, &disabled);
    assert_eq!(settings.svid_name, "default");
    assert!(!settings.has_spiffe_validator);
}

#[test]
fn metadata_switches_the_validator_on_again_but_not_for_an_old_envoy() {
    let disabled = SdsOptions { disable_spiffe_cert_validation: true, ..SdsOptions::default() };
    let metadata = [("disable_spiffe_cert_validation", "False")];
    assert!(settings(&metadata, Some((1, 40)), &disabled).has_spiffe_validator);
    assert!(!settings(&metadata, Some((1, 17)), &disabled).has_spiffe_validator);
}
