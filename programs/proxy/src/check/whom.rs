//! A configuration in words.

use std::error::Error;
use std::time::SystemTime;

use finial_identity::{Role, SpiffeId};
use finial_receive::WebRoots;
use jiff::Timestamp;

use crate::AccessFlags;
use crate::config::{Mode, Own, Plan, Trust};
use crate::lines::Chain;

/// What stands for this process.
pub(super) fn presents(plan: &Plan, id: Option<&SpiffeId>) -> String {
    match &plan.own {
        Own::WorkloadApi(_) if plan.mode == Mode::Client && plan.trust == Trust::ServerOnly => {
            "nothing".to_owned()
        }
        Own::WorkloadApi(endpoint) => match id {
            Some(id) => format!("{id}, by the agent at {endpoint}"),
            None => format!("the identity of the agent at {endpoint}"),
        },
        Own::Files { files, .. } => match &files.own {
            None => "nothing".to_owned(),
            Some(pair) => format!("the certificate in {}", pair.certificate.display()),
        },
    }
}

pub(super) fn rules(plan: &Plan, access: &AccessFlags) -> Vec<String> {
    if plan.mode == Mode::Server && plan.trust == Trust::ServerOnly {
        return vec!["anybody: no certificate is asked for".to_owned()];
    }
    let AccessFlags { all, common_names, organizational_units, dns_names, ip_names, uris, pins } = access;
    let mut rules = Vec::new();
    if *all {
        rules.push("whoever has a certificate that verifies".to_owned());
    }
    rules.extend(uris.iter().map(|uri| format!("URI {uri}")));
    rules.extend(common_names.iter().map(|name| format!("common name {name}")));
    rules.extend(organizational_units.iter().map(|unit| format!("organizational unit {unit}")));
    rules.extend(dns_names.iter().map(|name| format!("DNS name {name}")));
    rules.extend(ip_names.iter().map(|ip| format!("IP address {ip}")));
    rules.extend(pins.iter().map(|pin| format!("key {pin}, whatever its certificate says")));
    if rules.is_empty() {
        rules.push("whoever has the host name of the target".to_owned());
    }
    rules.push(match &plan.own {
        _ if !pins.is_empty() => return rules,
        Own::WorkloadApi(_) => "verified by the bundles of the agent".to_owned(),
        Own::Files { files, .. } => match &files.roots {
            WebRoots::None => "verified by nobody".to_owned(),
            WebRoots::System => "verified by the authorities of the operating system".to_owned(),
            WebRoots::File(path) => format!("verified by the authorities in {}", path.display()),
        },
    });
    rules
}

/// Of whoever is at the other end.
pub(super) fn role(mode: Mode) -> Role {
    match mode {
        Mode::Server => Role::Client,
        Mode::Client => Role::Server,
    }
}

pub(super) fn with_causes(error: &dyn Error) -> String {
    Chain(error).to_string()
}

pub(super) fn rfc3339(instant: SystemTime) -> String {
    Timestamp::try_from(instant).unwrap_or_default().to_string()
}
