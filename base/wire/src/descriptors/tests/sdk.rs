//! Our descriptors against SPIRE's API SDK 1.15.2, whose facts are kept beside this file as a list.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use crate::{ADMIN_DESCRIPTORS, SERVER_DESCRIPTORS};

/// What the SDK has.
const SDK: &str = include_str!("../spire-api-sdk-1.15.2.txt");

/// What of it we do not have: services that are not there, and their messages.
const LACKED: &[&str] = &[
    "enum spire.api.types.FederationRelationship",
    "message spire.api.server.trustdomain.v1.",
    "message spire.api.types.FederationRelationship",
    "message spire.api.types.HTTPSSPIFFEProfile",
    "message spire.api.types.HTTPSWebProfile",
    "service spire.api.server.trustdomain.v1.",
];

#[test]
fn every_name_number_and_type_is_the_sdks() {
    let (ours, theirs) = (ours(), theirs());
    let is_lacked = |fact: &&&String| LACKED.iter().any(|start| fact.starts_with(start));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let missing: Vec<_> = missing.iter().filter(|fact| !is_lacked(fact)).collect();
    let surplus: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
    assert!(ours.len() > 400, "{}", ours.len());
}

#[test]
fn what_is_lacked_is_really_lacking() {
    let ours = ours();
    for lacked in LACKED {
        assert!(!ours.iter().any(|fact| fact.starts_with(lacked)), "no longer lacked: {lacked}");
    }
}

#[test]
fn list_says_what_it_is_about() {
    let theirs = theirs();
    for fact in [
        "message spire.api.types.Bundle: wit_authorities 6 repeated spire.api.types.WITKey",
        "enum spire.api.types.PermissionDeniedDetails.Reason: AGENT_BANNED 4",
        "service spire.api.server.agent.v1.Agent: AttestAgent stream spire.api.server.agent.v1.AttestAgentRequest \
         -> stream spire.api.server.agent.v1.AttestAgentResponse",
    ] {
        assert!(theirs.contains(fact), "{fact}");
    }
}

fn theirs() -> BTreeSet<String> {
    listed(SDK)
}

/// A list: a line at the margin names a holder, the lines below it are what it holds.
pub(super) fn listed(list: &'static str) -> BTreeSet<String> {
    let mut holder = "";
    let mut facts = BTreeSet::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(held) => facts.insert(format!("{holder}: {held}")),
            None => {
                holder = line;
                facts.insert(holder.to_owned())
            }
        };
    }
    facts
}

fn ours() -> BTreeSet<String> {
    &described(SERVER_DESCRIPTORS, "spire.") | &described(ADMIN_DESCRIPTORS, "spire.")
}

/// What the packages of a set hold whose names start so.
pub(super) fn described(set: &[u8], packages: &str) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    let set = FileDescriptorSet::decode(set).unwrap();
    for file in set.file.iter().filter(|file| file.package().starts_with(packages)) {
        let package = file.package();
        file.message_type.iter().for_each(|it| message(package, it, &mut facts));
        file.enum_type.iter().for_each(|it| enumeration(package, it, &mut facts));
        for service in &file.service {
            let holder = format!("service {package}.{}", service.name());
            let stream = |streaming: bool| if streaming { "stream " } else { "" };
            for rpc in &service.method {
                let (from, to) = (full(rpc.input_type()), full(rpc.output_type()));
                let (asks, answers) = (stream(rpc.client_streaming()), stream(rpc.server_streaming()));
                facts.insert(format!("{holder}: {} {asks}{from} -> {answers}{to}", rpc.name()));
            }
            facts.insert(holder);
        }
    }
    facts
}

fn message(prefix: &str, it: &DescriptorProto, facts: &mut BTreeSet<String>) {
    let name = format!("{prefix}.{}", it.name());
    for field in &it.field {
        let oneof = field.oneof_index.map(|index| it.oneof_decl[usize::try_from(index).unwrap()].name());
        let oneof = oneof.map_or(String::new(), |name| format!("oneof {name} "));
        let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
        let (field, number, kind) = (field.name(), field.number(), kind(field));
        facts.insert(format!("message {name}: {field} {number} {oneof}{repeated}{kind}"));
    }
    it.nested_type.iter().for_each(|nested| message(&name, nested, facts));
    it.enum_type.iter().for_each(|nested| enumeration(&name, nested, facts));
    facts.insert(format!("message {name}"));
}

fn enumeration(prefix: &str, it: &EnumDescriptorProto, facts: &mut BTreeSet<String>) {
    let holder = format!("enum {prefix}.{}", it.name());
    for value in &it.value {
        facts.insert(format!("{holder}: {} {}", value.name(), value.number()));
    }
    facts.insert(holder);
}

fn kind(field: &FieldDescriptorProto) -> String {
    match field.type_name() {
        "" => field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase(),
        name => full(name).to_owned(),
    }
}

/// Descriptors write a full name with a dot in front.
fn full(name: &str) -> &str {
    name.trim_start_matches('.')
}
