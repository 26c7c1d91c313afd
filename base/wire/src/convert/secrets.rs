//! The messages of Envoy's Secret Discovery Service.

use std::sync::Arc;

use finial_identity::{Bundle, X509Credential};
use prost::Message;
use prost_types::Any;
use prost_types::value::Kind;

use super::batch::at_most;
use crate::error::WireError;
use crate::proto::data_source::Specifier;
use crate::proto::{discovery, envoy_core as core, envoy_tls as tls, rpc};
use crate::{
    EnvoyNode, MAX_SECRET_NAMES, Secret, SecretContent, SecretDelta, SecretDeltaRequest, SecretRequest,
    SecretUpdate,
};

const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const SPIFFE_VALIDATOR: &str = "envoy.tls.cert_validator.spiffe";
const SPIFFE_VALIDATOR_CONFIG: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig";
/// The SHA-256 that no certificate has.
const NO_CERTIFICATE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How much of Envoy's words about a refusal is kept, in characters.
const REJECTION_LENGTH: usize = 1024;

/// What is asked by StreamSecrets and FetchSecrets.
pub(crate) fn request(message: discovery::DiscoveryRequest) -> Result<SecretRequest, WireError> {
    of_secrets(&message.type_url)?;
    at_most(MAX_SECRET_NAMES, "secret names", message.resource_names.len())?;
    Ok(SecretRequest {
        node: message.node.map(node),
        names: message.resource_names,
        version: message.version_info,
        nonce: message.response_nonce,
        rejection: message.error_detail.as_ref().map(rejection),
    })
}

/// What is asked by DeltaSecrets.
pub(crate) fn delta_request(
    message: discovery::DeltaDiscoveryRequest,
) -> Result<SecretDeltaRequest, WireError> {
    of_secrets(&message.type_url)?;
    at_most(MAX_SECRET_NAMES, "secret names", message.resource_names_subscribe.len())?;
    at_most(MAX_SECRET_NAMES, "secret names", message.resource_names_unsubscribe.len())?;
    at_most(MAX_SECRET_NAMES, "secret versions", message.initial_resource_versions.len())?;
    Ok(SecretDeltaRequest {
        node: message.node.map(node),
        subscribe: message.resource_names_subscribe,
        unsubscribe: message.resource_names_unsubscribe,
        held: message.initial_resource_versions,
        nonce: message.response_nonce,
        rejection: message.error_detail.as_ref().map(rejection),
    })
}

/// The answer to [`request`].
pub(crate) fn to_response(update: SecretUpdate) -> discovery::DiscoveryResponse {
    discovery::DiscoveryResponse {
        resources: update.secrets.iter().map(to_any).collect(),
        type_url: SECRET.to_owned(),
        nonce: update.version.clone(),
        version_info: update.version,
    }
}

/// The answer to [`delta_request`].
pub(crate) fn to_delta_response(delta: SecretDelta) -> discovery::DeltaDiscoveryResponse {
    let resource = |secret: Secret| discovery::Resource {
        resource: Some(to_any(&secret)),
        version: secret.version,
        name: secret.name,
    };
    discovery::DeltaDiscoveryResponse {
        resources: delta.secrets.into_iter().map(resource).collect(),
        type_url: SECRET.to_owned(),
        removed_resources: delta.removed,
        nonce: delta.version.clone(),
        system_version_info: delta.version,
    }
}

/// The service is about secrets only, so the type may be left out.
fn of_secrets(type_url: &str) -> Result<(), WireError> {
    if type_url.is_empty() || type_url == SECRET {
        return Ok(());
    }
    Err(WireError::ResourceType(type_url.to_owned()))
}

fn node(node: core::Node) -> EnvoyNode {
    let version = match node.user_agent_version_type {
        Some(core::node::UserAgentVersionType::UserAgentBuildVersion(build)) => build.version,
        _ => None,
    };
    let metadata = node.metadata.unwrap_or_default().fields.into_iter();
    let text = |(name, value): (String, prost_types::Value)| match value.kind? {
        Kind::StringValue(text) => Some((name, text)),
        Kind::BoolValue(truth) => Some((name, truth.to_string())),
        _ => None,
    };
    EnvoyNode {
        id: node.id,
        version: version.map(|version| (version.major_number, version.minor_number)),
        metadata: metadata.filter_map(text).collect(),
    }
}

fn rejection(detail: &rpc::Status) -> String {
    detail.message.chars().take(REJECTION_LENGTH).collect()
}

fn to_any(secret: &Secret) -> Any {
    let content = match &secret.content {
        SecretContent::Credential(credential) => {
            tls::secret::Type::TlsCertificate(to_certificate(credential))
        }
        SecretContent::Spiffe(bundles) => tls::secret::Type::ValidationContext(to_spiffe_context(bundles)),
        SecretContent::Authorities(bundle) => tls::secret::Type::ValidationContext(to_context(bundle)),
        SecretContent::Nobody(bundle) => tls::secret::Type::ValidationContext(to_nobody(bundle)),
    };
    let secret = tls::Secret { name: secret.name.clone(), r#type: Some(content) };
    Any { type_url: SECRET.to_owned(), value: secret.encode_to_vec() }
}

fn to_certificate(credential: &X509Credential) -> tls::TlsCertificate {
    tls::TlsCertificate {
        certificate_chain: Some(inline(credential.svid().to_pem())),
        private_key: Some(inline(credential.key().to_pem().as_str())),
    }
}

fn to_spiffe_context(bundles: &[Arc<Bundle>]) -> tls::CertificateValidationContext {
    let trust_domain = |bundle: &Arc<Bundle>| tls::spiffe_cert_validator_config::TrustDomain {
        name: bundle.trust_domain.name().to_owned(),
        trust_bundle: Some(inline(bundle.to_pem())),
    };
    let config = tls::SpiffeCertValidatorConfig { trust_domains: bundles.iter().map(trust_domain).collect() };
    let config = Any { type_url: SPIFFE_VALIDATOR_CONFIG.to_owned(), value: config.encode_to_vec() };
    tls::CertificateValidationContext {
        custom_validator_config: Some(core::TypedExtensionConfig {
            name: SPIFFE_VALIDATOR.to_owned(),
            typed_config: Some(config),
        }),
        ..Default::default()
    }
}

fn to_context(bundle: &Bundle) -> tls::CertificateValidationContext {
    tls::CertificateValidationContext { trusted_ca: Some(inline(bundle.to_pem())), ..Default::default() }
}

/// Envoy has no context that says "nobody", and keeps the last one when it gets none or an empty one.
fn to_nobody(bundle: &Bundle) -> tls::CertificateValidationContext {
    tls::CertificateValidationContext {
        verify_certificate_hash: vec![NO_CERTIFICATE.to_owned()],
        ..to_context(bundle)
    }
}

fn inline(pem: impl AsRef<str>) -> core::DataSource {
    core::DataSource { specifier: Some(Specifier::InlineBytes(pem.as_ref().as_bytes().to_vec())) }
}

#[cfg(test)]
mod tests;
