//! Our descriptors against what independent packages publish.
//!
//! The crates are older than SPIRE 1.15; what is newer is listed here as data. `sdk` compares with that version itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

use super::{SERVER_DESCRIPTORS, WORKLOAD_DESCRIPTORS};

mod envoy;
mod sdk;

/// What we have and the crate `spire-api` 0.11 has not.
const NEWER_THAN_SPIRE_API: &[&str] = &[
    // Added with PostStatus: spire-api-sdk pull request 86.
    "field spire.api.server.agent.v1.PostStatusRequest.agent_version",
    "field spire.api.types.Agent.agent_version",
    "field spire.api.types.AgentMask.agent_version",
    // Named in the protocol of SyncAuthorizedEntries.
    "field spire.api.server.entry.v1.EntryRevision.created_at",
    // spire-api-sdk pull requests 88 and 95.
    "field spire.api.types.Entry.AdditionalAttributes.",
    "field spire.api.types.Entry.additional_attributes",
    "field spire.api.types.EntryMask.additional_attributes",
    "message spire.api.types.Entry.AdditionalAttributes",
    // Read in later versions of the SDK.
    "field spire.api.server.localauthority.v1.AuthorityState.upstream_authority_subject_key_id",
    "field spire.api.server.localauthority.v1.RevokeX509UpstreamAuthorityResponse.upstream_authority_subject_key_id",
    "field spire.api.server.localauthority.v1.TaintX509UpstreamAuthorityResponse.upstream_authority_subject_key_id",
    // WIT-SVIDs.
    "field spire.api.server.bundle.v1.AppendBundleRequest.wit_authorities",
    "field spire.api.server.bundle.v1.PublishWITAuthority",
    "field spire.api.server.localauthority.v1.ActivateWITAuthority",
    "field spire.api.server.localauthority.v1.GetWITAuthorityState",
    "field spire.api.server.localauthority.v1.PrepareWITAuthority",
    "field spire.api.server.localauthority.v1.RevokeWITAuthority",
    "field spire.api.server.localauthority.v1.TaintWITAuthority",
    "field spire.api.server.svid.v1.BatchNewWITSVID",
    "field spire.api.server.svid.v1.MintWITSVID",
    "field spire.api.server.svid.v1.NewWITSVIDParams.",
    "field spire.api.types.Bundle.wit_authorities",
    "field spire.api.types.BundleMask.wit_authorities",
    "field spire.api.types.WITKey.",
    "field spire.api.types.WITSVID.",
    "message spire.api.server.bundle.v1.PublishWITAuthority",
    "message spire.api.server.localauthority.v1.ActivateWITAuthority",
    "message spire.api.server.localauthority.v1.GetWITAuthorityState",
    "message spire.api.server.localauthority.v1.PrepareWITAuthority",
    "message spire.api.server.localauthority.v1.RevokeWITAuthority",
    "message spire.api.server.localauthority.v1.TaintWITAuthority",
    "message spire.api.server.svid.v1.BatchNewWITSVID",
    "message spire.api.server.svid.v1.MintWITSVID",
    "message spire.api.server.svid.v1.NewWITSVIDParams",
    "message spire.api.types.WITKey",
    "message spire.api.types.WITSVID",
    "rpc spire.api.server.bundle.v1.Bundle.PublishWITAuthority",
    "rpc spire.api.server.localauthority.v1.LocalAuthority.ActivateWITAuthority",
    "rpc spire.api.server.localauthority.v1.LocalAuthority.GetWITAuthorityState",
    "rpc spire.api.server.localauthority.v1.LocalAuthority.PrepareWITAuthority",
    "rpc spire.api.server.localauthority.v1.LocalAuthority.RevokeWITAuthority",
    "rpc spire.api.server.localauthority.v1.LocalAuthority.TaintWITAuthority",
    "rpc spire.api.server.svid.v1.SVID.BatchNewWITSVID",
    "rpc spire.api.server.svid.v1.SVID.MintWITSVID",
];

/// What we have and the crate `spiffe` 0.19 has not: the incubating WIT-SVID profile.
const NEWER_THAN_SPIFFE: &[&str] = &[
    "field WITBundlesResponse.",
    "field WITSVID",
    "message WITBundles",
    "message WITSVID",
    "rpc SpiffeWorkloadAPI.FetchWIT",
];

#[test]
fn server_apis_equal_upstream() {
    let theirs = compiled(
        "spire-api",
        "spire-api-sdk/proto",
        &[
            "spire/api/server/agent/v1/agent.proto",
            "spire/api/server/bundle/v1/bundle.proto",
            "spire/api/server/debug/v1/debug.proto",
            "spire/api/server/entry/v1/entry.proto",
            "spire/api/server/localauthority/v1/localauthority.proto",
            "spire/api/server/logger/v1/logger.proto",
            "spire/api/server/svid/v1/svid.proto",
        ],
    );
    let ours = FileDescriptorSet::decode(SERVER_DESCRIPTORS).unwrap();
    compare(&facts(&ours, "spire."), &facts(&theirs, "spire."), NEWER_THAN_SPIRE_API);
}

#[test]
fn wep_14_wap_02_workload_api_equals_upstream() {
    let theirs = compiled("spiffe", "src/proto", &["workload.proto"]);
    let ours = FileDescriptorSet::decode(WORKLOAD_DESCRIPTORS).unwrap();
    let (ours, theirs) = (facts(&ours, ""), facts(&theirs, ""));
    assert!(ours.contains(
        "rpc SpiffeWorkloadAPI.FetchX509SVID (.X509SVIDRequest) returns (stream .X509SVIDResponse)"
    ));
    compare(&ours, &theirs, NEWER_THAN_SPIFFE);
}

fn compare(ours: &BTreeSet<String>, theirs: &BTreeSet<String>, newer: &[&str]) {
    let is_newer = |fact: &&&String| newer.iter().any(|start| fact.starts_with(start));
    let missing: Vec<&String> = theirs.difference(ours).collect();
    let surplus: Vec<&String> = ours.difference(theirs).collect();
    let unexplained: Vec<_> = surplus.iter().filter(|fact| !is_newer(fact)).collect();
    assert!(
        missing.is_empty() && unexplained.is_empty(),
        "missing: {missing:#?}\nunexplained: {unexplained:#?}"
    );
    for start in newer {
        assert!(surplus.iter().any(|fact| fact.starts_with(start)), "the oracle now has {start}: strike it");
    }
}

/// One line for each message, field, enum value and RPC in packages that start so.
fn facts(set: &FileDescriptorSet, package: &str) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for file in set.file.iter().filter(|file| in_scope(file.package(), package)) {
        let prefix = if file.package().is_empty() { String::new() } else { format!("{}.", file.package()) };
        file.message_type.iter().for_each(|message| message_facts(&prefix, message, &mut facts));
        file.enum_type.iter().for_each(|it| enum_facts(&prefix, it, &mut facts));
        for service in &file.service {
            for rpc in &service.method {
                let stream = |streaming: bool| if streaming { "stream " } else { "" };
                facts.insert(format!(
                    "rpc {prefix}{}.{} ({}{}) returns ({}{})",
                    service.name(),
                    rpc.name(),
                    stream(rpc.client_streaming()),
                    rpc.input_type(),
                    stream(rpc.server_streaming()),
                    rpc.output_type()
                ));
            }
        }
    }
    facts
}

fn in_scope(package: &str, start: &str) -> bool {
    if start.is_empty() { package.is_empty() } else { package.starts_with(start) }
}

fn message_facts(prefix: &str, message: &DescriptorProto, facts: &mut BTreeSet<String>) {
    let name = format!("{prefix}{}", message.name());
    facts.insert(format!("message {name}"));
    for field in &message.field {
        let oneof = field.oneof_index.map(|index| message.oneof_decl[usize::try_from(index).unwrap()].name());
        facts.insert(format!(
            "field {name}.{} = {} {:?} {:?} {} {:?} {}",
            field.name(),
            field.number(),
            field.label(),
            field.r#type(),
            field.type_name(),
            oneof,
            field.proto3_optional()
        ));
    }
    let inner = format!("{name}.");
    message.nested_type.iter().for_each(|nested| message_facts(&inner, nested, facts));
    message.enum_type.iter().for_each(|it| enum_facts(&inner, it, facts));
}

fn enum_facts(prefix: &str, it: &EnumDescriptorProto, facts: &mut BTreeSet<String>) {
    for value in &it.value {
        facts.insert(format!("value {prefix}{}.{} = {}", it.name(), value.name(), value.number()));
    }
}

/// Compiles .proto files that the sources of a package hold.
fn compiled(package: &str, folder: &str, files: &[&str]) -> FileDescriptorSet {
    let mut compiler = protox::Compiler::new([source_of(package).join(folder)]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.file_descriptor_set()
}

fn source_of(package: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--filter-platform", "host-tuple", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|it| it["name"] == package && !it["source"].is_null()).unwrap();
    PathBuf::from(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}
