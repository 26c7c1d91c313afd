//! The `sds` block.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_provide::SdsOptions;

use crate::Config;

/// A configuration with these lines in its agent block.
fn read(lines: &str) -> Result<Config, String> {
    let text = format!(
        r#"agent {{
          trust_domain = "example.org"
          server_address = "localhost"
          server_port = 8081
          {lines}
        }}
        plugins {{
          KeyManager "memory" {{ }}
          NodeAttestor "join_token" {{ }}
          WorkloadAttestor "unix" {{ }}
        }}"#
    );
    Config::from_hcl(&text, "agent.conf").map_err(|error| error.to_string())
}

fn names(options: &SdsOptions) -> [&str; 3] {
    [&options.default_svid_name, &options.default_bundle_name, &options.default_all_bundles_name]
}

#[test]
fn sds_is_on_with_the_names_of_spire() {
    for lines in ["", "sds { }", r#"sds { default_svid_name = "" }"#, "disable_sds_api = false"] {
        let options = read(lines).unwrap().sds.unwrap();
        assert_eq!(names(&options), ["default", "ROOTCA", "ALL"], "{lines}");
        assert!(!options.disable_spiffe_cert_validation);
    }
}

#[test]
fn every_name_can_be_another() {
    let lines = r#"sds {
        default_svid_name = "mine"
        default_bundle_name = "null"
        default_all_bundles_name = "ROOTCA"
        disable_spiffe_cert_validation = true
    }"#;
    let options = read(lines).unwrap().sds.unwrap();
    assert_eq!(names(&options), ["mine", "null", "ROOTCA"]);
    assert!(options.disable_spiffe_cert_validation);
}

#[test]
fn sds_can_be_switched_off() {
    assert!(read("disable_sds_api = true\nsds { }").unwrap().sds.is_none());
}

#[test]
fn unknown_key_is_refused_by_name() {
    let error = read("sds { default_svid = \"x\" }").unwrap_err();
    assert!(error.contains("unknown key \"default_svid\" in sds"), "{error}");
}
