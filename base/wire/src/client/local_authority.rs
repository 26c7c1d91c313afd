//! Asks spire.api.server.localauthority.v1.LocalAuthority.

use tonic::Status;
use tonic::transport::Channel;

use crate::convert::authority::authority;
use crate::error::WireError;
use crate::proto::local_authority as proto;
use crate::proto::local_authority::local_authority_client::LocalAuthorityClient as Stub;
use crate::{AuthorityState, AuthorityStates, MAX_ANSWER_BYTES};

/// Turns a server's X.509 and JWT authorities by hand.
#[derive(Clone, Debug)]
pub struct LocalAuthorityClient(Stub<Channel>);

impl LocalAuthorityClient {
    /// Asks over this channel.
    pub fn new(channel: Channel) -> Self {
        Self(Stub::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// How the X.509 authorities stand.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn x509_authorities(&self) -> Result<AuthorityStates, Status> {
        let request = proto::GetX509AuthorityStateRequest {};
        let answer = self.0.clone().get_x509_authority_state(request).await?.into_inner();
        Ok(AuthorityStates {
            active: optional(answer.active)?,
            prepared: optional(answer.prepared)?,
            old: optional(answer.old)?,
        })
    }

    /// Makes the next X.509 authority and publishes it.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn prepare_x509(&self) -> Result<AuthorityState, Status> {
        let request = proto::PrepareX509AuthorityRequest {};
        let answer = self.0.clone().prepare_x509_authority(request).await?.into_inner();
        required(answer.prepared_authority)
    }

    /// Signs X.509-SVIDs with the prepared authority, which must have this ID, from now on.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn activate_x509(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::ActivateX509AuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().activate_x509_authority(request).await?.into_inner();
        required(answer.activated_authority)
    }

    /// Marks the old X.509 authority, which must have this ID, as compromised.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn taint_x509(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::TaintX509AuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().taint_x509_authority(request).await?.into_inner();
        required(answer.tainted_authority)
    }

    /// Takes the old X.509 authority, which must have this ID, out of the bundle.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn revoke_x509(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::RevokeX509AuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().revoke_x509_authority(request).await?.into_inner();
        required(answer.revoked_authority)
    }

    /// How the JWT authorities stand.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn jwt_authorities(&self) -> Result<AuthorityStates, Status> {
        let request = proto::GetJwtAuthorityStateRequest {};
        let answer = self.0.clone().get_jwt_authority_state(request).await?.into_inner();
        Ok(AuthorityStates {
            active: optional(answer.active)?,
            prepared: optional(answer.prepared)?,
            old: optional(answer.old)?,
        })
    }

    /// Makes the next JWT authority and publishes it.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn prepare_jwt(&self) -> Result<AuthorityState, Status> {
        let request = proto::PrepareJwtAuthorityRequest {};
        let answer = self.0.clone().prepare_jwt_authority(request).await?.into_inner();
        required(answer.prepared_authority)
    }

    /// Signs JWT-SVIDs with the prepared authority, which must have this ID, from now on.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn activate_jwt(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::ActivateJwtAuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().activate_jwt_authority(request).await?.into_inner();
        required(answer.activated_authority)
    }

    /// Marks the old JWT authority, which must have this ID, as compromised.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn taint_jwt(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::TaintJwtAuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().taint_jwt_authority(request).await?.into_inner();
        required(answer.tainted_authority)
    }

    /// Takes the old JWT authority, which must have this ID, out of the bundle.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn revoke_jwt(&self, id: impl Into<String>) -> Result<AuthorityState, Status> {
        let request = proto::RevokeJwtAuthorityRequest { authority_id: id.into() };
        let answer = self.0.clone().revoke_jwt_authority(request).await?.into_inner();
        required(answer.revoked_authority)
    }
}

fn optional(state: Option<proto::AuthorityState>) -> Result<Option<AuthorityState>, Status> {
    state.map(authority).transpose().map_err(WireError::bad_answer)
}

fn required(state: Option<proto::AuthorityState>) -> Result<AuthorityState, Status> {
    optional(state)?.ok_or_else(|| WireError::Missing("authority").bad_answer())
}
