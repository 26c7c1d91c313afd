//! Which templates are served.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{PathTemplateError, X509PopPathTemplate};

fn parse(text: &str) -> Result<X509PopPathTemplate, PathTemplateError> {
    text.parse()
}

#[test]
fn defaults_are_spires() {
    assert_eq!(
        parse("/{{ .PluginName }}/{{ .Fingerprint }}").unwrap(),
        X509PopPathTemplate::of_fingerprint()
    );
    assert_eq!(parse("{{.PluginName}}/{{.SVIDPathTrimmed}}").unwrap(), X509PopPathTemplate::of_svid_path());
}

#[test]
fn fields_are_served_and_may_be_mixed_with_text() {
    for text in [
        "x509pop/cn/{{ .Subject.CommonName }}",
        "/x509pop/{{ .TrustDomain }}/{{ .SerialNumberHex }}",
        "/{{ .PluginName }}/{{ .URISanSelectors.datacenter }}/{{ .URISanSelectors.rack }}",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn more_than_a_field_is_refused_by_name() {
    for action in [
        ".Issuer.CommonName",
        ".Subject.CommonName | lower",
        "- .Fingerprint",
        "if .Fingerprint",
        "range .URIs",
        "",
        ".URISanSelectors.",
        ".URISanSelectors.a.b",
        "printf \"%s\" .Fingerprint",
        "/* comment */",
    ] {
        let refused = parse(&format!("/x509pop/{{{{ {action} }}}}")).unwrap_err();
        assert_eq!(refused, PathTemplateError::Action { action: action.to_owned() });
    }
    assert_eq!(parse("/x509pop/{{ .Fingerprint"), Err(PathTemplateError::Unclosed { at: 9 }));
}

#[test]
fn cve_2021_27099_path_that_could_leave_the_plugins_folder_is_refused() {
    for text in [
        "",
        "/",
        "/x509pop",
        "/cn/{{ .Subject.CommonName }}",
        "{{ .Fingerprint }}",
        "/x509pop{{ .Fingerprint }}",
        "//x509pop/{{ .Fingerprint }}",
        "/join_token/{{ .Fingerprint }}",
    ] {
        assert_eq!(parse(text), Err(PathTemplateError::Elsewhere), "{text}");
    }
}
