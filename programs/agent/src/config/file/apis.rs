//! The keys of what the agent serves to the processes of its node.

use finial_attest::PeerPidfd;
use finial_daemon::hcl::{Block, HclError};

use crate::config::Config;

pub(super) fn read(agent: &mut Block, config: &mut Config) -> Result<(), HclError> {
    if let Some(path) = agent.take("socket_path")? {
        config.socket_path = path;
    }
    if agent.take::<bool>("require_peer_pidfd")? == Some(true) {
        config.peer_pidfd = PeerPidfd::Required;
    }
    Ok(())
}
