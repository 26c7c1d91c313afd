//! The Debug services from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use finial_identity::CertificateSummary;
use tonic::{Extensions, Status};

use super::{AgentDebugApi, ServerDebugApi, agent_debug_service, server_debug_service};
use crate::client::{agent_info, server_info};
use crate::harness::{agent_id, noon, served, trust_domain};
use crate::{AgentInfo, ServerInfo};

struct Fake;

/// A leaf, the authority of a trust domain, and one that is for nobody.
fn chain() -> Vec<CertificateSummary> {
    let ids = [Some(agent_id("one")), Some(trust_domain().id()), None];
    let certificate = |id| CertificateSummary { id, subject: "O=SPIRE,C=US".to_owned(), not_after: noon() };
    ids.into_iter().map(certificate).collect()
}

fn agent() -> AgentInfo {
    AgentInfo {
        svid_chain: chain(),
        uptime: Duration::from_secs(61),
        last_sync: Some(noon()),
        x509_svids: 3,
        jwt_svids: 2,
        stored_x509_svids: 1,
    }
}

fn server() -> ServerInfo {
    ServerInfo {
        svid_chain: chain(),
        uptime: Duration::from_secs(61),
        agents: 3,
        federated_bundles: 2,
        entries: 1,
    }
}

#[async_trait]
impl AgentDebugApi for Fake {
    async fn info(&self, _: &Extensions) -> Result<AgentInfo, Status> {
        Ok(agent())
    }
}

#[async_trait]
impl ServerDebugApi for Fake {
    async fn info(&self, _: &Extensions) -> Result<ServerInfo, Status> {
        Ok(server())
    }
}

#[tokio::test]
async fn agent_tells_of_itself() {
    served(agent_debug_service(Arc::new(Fake)), async |channel| {
        assert_eq!(agent_info(channel).await.unwrap(), agent());
    })
    .await;
}

#[tokio::test]
async fn server_tells_of_itself() {
    served(server_debug_service(Arc::new(Fake)), async |channel| {
        assert_eq!(server_info(channel).await.unwrap(), server());
    })
    .await;
}
