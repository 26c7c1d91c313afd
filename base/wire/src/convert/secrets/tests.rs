//! Secrets as an Envoy reads them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::{NO_CERTIFICATE, SPIFFE_VALIDATOR, node, request, to_any, to_delta_response, to_response};
use crate::harness::Ca;
use crate::proto::data_source::Specifier;
use crate::proto::envoy::r#type::v3::SemanticVersion;
use crate::proto::envoy_core::node::UserAgentVersionType;
use crate::proto::{discovery, envoy_core as core, envoy_tls as tls, rpc};
use crate::{Secret, SecretContent, SecretDelta, SecretUpdate};

fn secret(content: SecretContent) -> Secret {
    Secret { name: "name".to_owned(), version: "v1".to_owned(), content }
}

fn decoded(content: SecretContent) -> tls::secret::Type {
    let decoded = tls::Secret::decode(to_any(&secret(content)).value.as_slice()).unwrap();
    assert_eq!(decoded.name, "name");
    decoded.r#type.unwrap()
}

fn context(content: SecretContent) -> tls::CertificateValidationContext {
    match decoded(content) {
        tls::secret::Type::ValidationContext(context) => context,
        other => panic!("no validation context: {other:?}"),
    }
}

fn text(source: Option<core::DataSource>) -> String {
    match source.unwrap().specifier.unwrap() {
        Specifier::InlineBytes(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("not inline: {other:?}"),
    }
}

#[test]
fn certificate_is_chain_and_key_in_pem() {
    let credential = Ca::new("example.org").credential("/web", "");
    let content = SecretContent::Credential(Arc::new(credential.clone()));
    let tls::secret::Type::TlsCertificate(certificate) = decoded(content) else { panic!("no certificate") };
    assert_eq!(text(certificate.certificate_chain), credential.svid().to_pem());
    assert_eq!(text(certificate.private_key), *credential.key().to_pem());
}

#[test]
fn spiffe_validator_has_a_bundle_for_each_trust_domain() {
    let bundles = [Ca::new("example.org").bundle(), Ca::new("other.test").bundle()];
    let context = context(SecretContent::Spiffe(bundles.iter().cloned().map(Arc::new).collect()));
    assert_eq!((context.trusted_ca, context.verify_certificate_hash.len()), (None, 0));
    let validator = context.custom_validator_config.unwrap();
    assert_eq!(validator.name, SPIFFE_VALIDATOR);
    let config = validator.typed_config.unwrap().value;
    let config = tls::SpiffeCertValidatorConfig::decode(config.as_slice()).unwrap();
    for (domain, bundle) in config.trust_domains.into_iter().zip(&bundles) {
        assert_eq!(domain.name, bundle.trust_domain.name());
        assert_eq!(text(domain.trust_bundle), bundle.to_pem());
    }
}

#[test]
fn authorities_are_the_trusted_ca() {
    let bundle = Ca::new("example.org").bundle();
    let context = context(SecretContent::Authorities(Arc::new(bundle.clone())));
    assert_eq!(context.custom_validator_config, None);
    assert_eq!(context.verify_certificate_hash, Vec::<String>::new());
    assert_eq!(text(context.trusted_ca), bundle.to_pem());
}

#[test]
fn nobody_is_a_certificate_that_cannot_exist() {
    let bundle = Ca::new("example.org").bundle();
    let context = context(SecretContent::Nobody(Arc::new(bundle)));
    assert_eq!(context.custom_validator_config, None);
    assert_eq!(context.verify_certificate_hash, [NO_CERTIFICATE]);
    assert_eq!(NO_CERTIFICATE.len(), 64);
}

#[test]
fn node_tells_version_and_settings() {
    let value = |kind| Value { kind: Some(kind) };
    let metadata = [
        ("text", Kind::StringValue("mine".to_owned())),
        ("truth", Kind::BoolValue(true)),
        ("number", Kind::NumberValue(1.0)),
    ];
    let fields = metadata.map(|(name, kind)| (name.to_owned(), value(kind))).into_iter().collect();
    let version = SemanticVersion { major_number: 1, minor_number: 40, patch: 0 };
    let build = core::BuildVersion { version: Some(version), metadata: None };
    let heard = node(core::Node {
        id: "front".to_owned(),
        metadata: Some(Struct { fields }),
        user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(build)),
        ..Default::default()
    });
    assert_eq!((heard.id.as_str(), heard.version), ("front", Some((1, 40))));
    let metadata: Vec<_> =
        heard.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("text", "mine"), ("truth", "true")]);
}

#[test]
fn node_may_be_silent_about_its_version() {
    let silent = core::Node::default();
    let words = UserAgentVersionType::UserAgentVersion("1.40.0-custom".to_owned());
    for node in [
        super::node(silent),
        super::node(core::Node { user_agent_version_type: Some(words), ..Default::default() }),
    ] {
        assert_eq!(node.version, None);
    }
}

#[test]
fn words_of_a_refusal_are_cut_off() {
    let words = rpc::Status { message: "ä".repeat(5000), ..Default::default() };
    let message = discovery::DiscoveryRequest { error_detail: Some(words), ..Default::default() };
    assert_eq!(request(message).unwrap().rejection.unwrap().chars().count(), 1024);
}

#[test]
fn rule_10_answers_hide_the_key() {
    let credential = Arc::new(Ca::new("example.org").credential("/web", ""));
    let secrets = || vec![secret(SecretContent::Credential(Arc::clone(&credential)))];
    let update = SecretUpdate { version: "1".to_owned(), secrets: secrets() };
    let delta = SecretDelta { version: "1".to_owned(), secrets: secrets(), removed: Vec::new() };
    let tls::secret::Type::TlsCertificate(certificate) =
        decoded(SecretContent::Credential(Arc::clone(&credential)))
    else {
        panic!("no certificate")
    };
    for text in [
        format!("{update:?}"),
        format!("{delta:?}"),
        format!("{certificate:?}"),
        format!("{:?}", to_response(update)),
        format!("{:?}", to_delta_response(delta)),
    ] {
        // Neither as text nor as the bytes of "-----BEGIN".
        assert!(!text.contains("BEGIN") && !text.contains("45, 45, 45"), "{text}");
    }
}
