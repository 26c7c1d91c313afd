//! Who may call what: one row for each method of each service, and nothing else is allowed.

/// A ground on which a method is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Whoever reaches the server.
    Anybody,
    /// A process on the server's own Unix socket.
    Local,
    /// A SPIFFE ID that is configured as administrator, or that an entry makes one.
    Admin,
    /// An agent that is attested, with its last SVID.
    Agent,
    /// A server below this one: a SPIFFE ID that an entry marks as downstream.
    Downstream,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The full name as it is on the wire: `/<package>.<service>/<method>`.
    pub name: &'static str,
    /// Each ground that suffices, in the order in which they are tried.
    pub allowed: &'static [Who],
}

/// The table of method and caller. It holds every method of SPIRE's services that this server may come to serve: one
/// that is not served yet is answered as unimplemented to those who may call it, and denied to all others.
pub const METHODS: &[Method] = &[
    row("/spire.api.server.agent.v1.Agent/AttestAgent", ANYBODY),
    row("/spire.api.server.agent.v1.Agent/RenewAgent", AGENT),
    row("/spire.api.server.agent.v1.Agent/PostStatus", AGENT),
    row("/spire.api.server.agent.v1.Agent/CountAgents", OPERATOR),
    row("/spire.api.server.agent.v1.Agent/ListAgents", OPERATOR),
    row("/spire.api.server.agent.v1.Agent/GetAgent", OPERATOR),
    row("/spire.api.server.agent.v1.Agent/DeleteAgent", OPERATOR),
    row("/spire.api.server.agent.v1.Agent/BanAgent", OPERATOR),
    row("/spire.api.server.agent.v1.Agent/CreateJoinToken", OPERATOR),
    row("/finial.agent.v1.Changes/Watch", AGENT),
    row("/spire.api.server.entry.v1.Entry/GetAuthorizedEntries", AGENT),
    row("/spire.api.server.entry.v1.Entry/SyncAuthorizedEntries", AGENT),
    row("/spire.api.server.entry.v1.Entry/CountEntries", OPERATOR),
    row("/spire.api.server.entry.v1.Entry/ListEntries", OPERATOR),
    row("/spire.api.server.entry.v1.Entry/GetEntry", OPERATOR),
    row("/spire.api.server.entry.v1.Entry/BatchCreateEntry", OPERATOR),
    row("/spire.api.server.entry.v1.Entry/BatchUpdateEntry", OPERATOR),
    row("/spire.api.server.entry.v1.Entry/BatchDeleteEntry", OPERATOR),
    row("/spire.api.server.svid.v1.SVID/BatchNewX509SVID", AGENT),
    row("/spire.api.server.svid.v1.SVID/NewJWTSVID", AGENT),
    row("/spire.api.server.svid.v1.SVID/BatchNewWITSVID", AGENT),
    row("/spire.api.server.svid.v1.SVID/NewDownstreamX509CA", DOWNSTREAM),
    row("/spire.api.server.svid.v1.SVID/MintX509SVID", OPERATOR),
    row("/spire.api.server.svid.v1.SVID/MintJWTSVID", OPERATOR),
    row("/spire.api.server.svid.v1.SVID/MintWITSVID", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/GetBundle", ANYBODY),
    row("/spire.api.server.bundle.v1.Bundle/GetFederatedBundle", OPERATOR_OR_AGENT),
    row("/spire.api.server.bundle.v1.Bundle/PublishJWTAuthority", DOWNSTREAM),
    row("/spire.api.server.bundle.v1.Bundle/PublishWITAuthority", DOWNSTREAM),
    row("/spire.api.server.bundle.v1.Bundle/AppendBundle", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/CountBundles", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/ListFederatedBundles", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/BatchCreateFederatedBundle", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/BatchUpdateFederatedBundle", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/BatchSetFederatedBundle", OPERATOR),
    row("/spire.api.server.bundle.v1.Bundle/BatchDeleteFederatedBundle", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/ListFederationRelationships", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/GetFederationRelationship", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/BatchCreateFederationRelationship", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/BatchUpdateFederationRelationship", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/BatchDeleteFederationRelationship", OPERATOR),
    row("/spire.api.server.trustdomain.v1.TrustDomain/RefreshBundle", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/GetX509AuthorityState", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/PrepareX509Authority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/ActivateX509Authority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/TaintX509Authority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/RevokeX509Authority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/TaintX509UpstreamAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/RevokeX509UpstreamAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/GetJWTAuthorityState", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/PrepareJWTAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/ActivateJWTAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/TaintJWTAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/RevokeJWTAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/GetWITAuthorityState", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/PrepareWITAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/ActivateWITAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/TaintWITAuthority", OPERATOR),
    row("/spire.api.server.localauthority.v1.LocalAuthority/RevokeWITAuthority", OPERATOR),
    row("/spire.api.server.debug.v1.Debug/GetInfo", LOCAL),
    row("/spire.api.server.logger.v1.Logger/GetLogger", LOCAL),
    row("/spire.api.server.logger.v1.Logger/SetLogLevel", LOCAL),
    row("/spire.api.server.logger.v1.Logger/ResetLogLevel", LOCAL),
    row("/grpc.health.v1.Health/Check", LOCAL),
    row("/grpc.health.v1.Health/Watch", LOCAL),
    row("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", LOCAL),
    row("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", LOCAL),
];

/// The grounds on which a method is allowed; none for a method that is not in the table.
pub(crate) fn grounds(method: &str) -> &'static [Who] {
    METHODS.iter().find(|row| row.name == method).map_or(&[], |row| row.allowed)
}

const ANYBODY: &[Who] = &[Who::Anybody];
const LOCAL: &[Who] = &[Who::Local];
const OPERATOR: &[Who] = &[Who::Local, Who::Admin];
const AGENT: &[Who] = &[Who::Agent];
const DOWNSTREAM: &[Who] = &[Who::Downstream];
const OPERATOR_OR_AGENT: &[Who] = &[Who::Local, Who::Admin, Who::Agent];

const fn row(name: &'static str, allowed: &'static [Who]) -> Method {
    Method { name, allowed }
}
