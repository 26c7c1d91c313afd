//! What a server and an agent say of themselves.

use std::time::Duration;

use finial_identity::CertificateSummary;

use super::{id, time};
use crate::error::WireError;
use crate::proto::{agent_debug, server_debug, types};
use crate::{AgentInfo, ServerInfo};

pub(crate) fn to_agent_info(info: &AgentInfo) -> agent_debug::GetInfoResponse {
    let cert = |(id, expires_at, subject)| agent_debug::get_info_response::Cert { id, expires_at, subject };
    #[expect(deprecated, reason = "SPIRE's older clients read svids_count")]
    agent_debug::GetInfoResponse {
        svid_chain: info.svid_chain.iter().map(parts).map(cert).collect(),
        uptime: seconds(info.uptime),
        svids_count: count(info.x509_svids),
        last_sync_success: time::optional_seconds(info.last_sync),
        cached_x509_svids_count: count(info.x509_svids),
        cached_jwt_svids_count: count(info.jwt_svids),
        cached_svidstore_x509_svids_count: count(info.stored_x509_svids),
    }
}

pub(crate) fn agent_info(info: agent_debug::GetInfoResponse) -> Result<AgentInfo, WireError> {
    let parts = |cert: agent_debug::get_info_response::Cert| summary(cert.id, cert.expires_at, cert.subject);
    Ok(AgentInfo {
        svid_chain: info.svid_chain.into_iter().map(parts).collect::<Result<_, _>>()?,
        uptime: uptime(info.uptime)?,
        last_sync: time::optional_instant("last_sync_success", info.last_sync_success)?,
        x509_svids: counted("cached_x509_svids_count", info.cached_x509_svids_count)?,
        jwt_svids: counted("cached_jwt_svids_count", info.cached_jwt_svids_count)?,
        stored_x509_svids: counted(
            "cached_svidstore_x509_svids_count",
            info.cached_svidstore_x509_svids_count,
        )?,
    })
}

pub(crate) fn to_server_info(info: &ServerInfo) -> server_debug::GetInfoResponse {
    let cert = |(id, expires_at, subject)| server_debug::get_info_response::Cert { id, expires_at, subject };
    server_debug::GetInfoResponse {
        svid_chain: info.svid_chain.iter().map(parts).map(cert).collect(),
        uptime: seconds(info.uptime),
        agents_count: count(info.agents),
        federated_bundles_count: count(info.federated_bundles),
        entries_count: count(info.entries),
    }
}

pub(crate) fn server_info(info: server_debug::GetInfoResponse) -> Result<ServerInfo, WireError> {
    let parts = |cert: server_debug::get_info_response::Cert| summary(cert.id, cert.expires_at, cert.subject);
    Ok(ServerInfo {
        svid_chain: info.svid_chain.into_iter().map(parts).collect::<Result<_, _>>()?,
        uptime: uptime(info.uptime)?,
        agents: counted("agents_count", info.agents_count)?,
        federated_bundles: counted("federated_bundles_count", info.federated_bundles_count)?,
        entries: counted("entries_count", info.entries_count)?,
    })
}

fn parts(certificate: &CertificateSummary) -> (Option<types::Spiffeid>, i64, String) {
    let id = certificate.id.as_ref().map(id::to_spiffe_id);
    (id, time::seconds(certificate.not_after), certificate.subject.clone())
}

/// The ID of an authority has no path, unlike that of a workload.
fn summary(
    id: Option<types::Spiffeid>,
    expires_at: i64,
    subject: String,
) -> Result<CertificateSummary, WireError> {
    let id = match id {
        Some(id) if id.path.is_empty() => Some(id::trust_domain("certificate's id", &id.trust_domain)?.id()),
        id => id::optional_spiffe_id("certificate's id", id)?,
    };
    Ok(CertificateSummary { id, subject, not_after: time::instant("certificate's expires_at", expires_at)? })
}

fn seconds(uptime: Duration) -> i32 {
    i32::try_from(uptime.as_secs()).unwrap_or(i32::MAX)
}

fn uptime(seconds: i32) -> Result<Duration, WireError> {
    let seconds =
        u64::try_from(seconds).map_err(|_| WireError::Negative { field: "uptime", value: seconds.into() })?;
    Ok(Duration::from_secs(seconds))
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn counted(field: &'static str, count: i32) -> Result<usize, WireError> {
    usize::try_from(count).map_err(|_| WireError::Negative { field, value: count.into() })
}
