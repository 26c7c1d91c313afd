//! The keys of what the agent serves to the processes of its node.

use finial_attest::PeerPidfd;
use finial_daemon::hcl::{Block, HclError};
use finial_identity::{SpiffeId, TrustDomain};

use crate::config::Config;

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    if let Some(path) = agent.take_unless_empty("socket_path")? {
        config.socket_path = path;
    }
    if agent.take::<bool>("require_peer_pidfd")? == Some(true) {
        config.peer_pidfd = PeerPidfd::Required;
    }
    read_admin(agent, config)
}

fn read_admin(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    config.admin_socket_path = agent.take_unless_empty("admin_socket_path")?;
    config
        .check_admin_socket()
        .map_err(|error| agent.error_at("admin_socket_path", &format!("{error:#}")))?;
    let delegates = agent.take::<Vec<String>>("authorized_delegates")?.unwrap_or_default();
    let delegates = delegates.iter().map(|text| read_delegate(text, &config.trust_domain));
    config.authorized_delegates = delegates
        .collect::<Result<_, _>>()
        .map_err(|problem| agent.error_at("authorized_delegates", &problem))?;
    Ok(())
}

fn read_delegate(text: &str, trust_domain: &TrustDomain) -> Result<SpiffeId, String> {
    let id = SpiffeId::parse(text).map_err(|error| format!("`{text}` is no SPIFFE ID: {error}"))?;
    if !id.is_member_of(trust_domain) {
        return Err(format!(
            "`{text}` is not of the trust domain `{trust_domain}`: a delegate is of the agent's own"
        ));
    }
    Ok(id)
}
