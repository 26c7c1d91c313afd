//! The LocalAuthority service from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Code, Extensions, Status};

use super::{LocalAuthorityApi, local_authority_service};
use crate::client::LocalAuthorityClient;
use crate::harness::{noon, served};
use crate::proto::local_authority as proto;
use crate::proto::local_authority::local_authority_client::LocalAuthorityClient as Stub;
use crate::{AuthorityState, AuthorityStates};

struct Fake;

fn state(id: impl Into<String>) -> AuthorityState {
    AuthorityState { id: id.into(), expires_at: noon(), upstream_subject_key_id: None }
}

#[async_trait]
impl LocalAuthorityApi for Fake {
    async fn x509_authorities(&self, _: &Extensions) -> Result<AuthorityStates, Status> {
        let upstream = AuthorityState { upstream_subject_key_id: Some("up".to_owned()), ..state("old") };
        Ok(AuthorityStates { active: Some(state("active")), prepared: None, old: Some(upstream) })
    }

    async fn prepare_x509(&self, _: &Extensions) -> Result<AuthorityState, Status> {
        Ok(state("prepared"))
    }

    async fn activate_x509(&self, _: &Extensions, id: String) -> Result<AuthorityState, Status> {
        Ok(state(format!("activated {id}")))
    }

    async fn taint_x509(&self, _: &Extensions, id: String) -> Result<AuthorityState, Status> {
        Ok(state(format!("tainted {id}")))
    }

    async fn revoke_x509(&self, _: &Extensions, _: String) -> Result<AuthorityState, Status> {
        Err(Status::failed_precondition("no old authority"))
    }
}

#[tokio::test]
async fn authorities_are_shown_and_turned() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let client = LocalAuthorityClient::new(channel);
        assert_eq!(
            client.x509_authorities().await.unwrap(),
            Fake.x509_authorities(&Extensions::default()).await.unwrap()
        );
        assert_eq!(client.prepare_x509().await.unwrap(), state("prepared"));
        assert_eq!(client.activate_x509("ab").await.unwrap(), state("activated ab"));
        assert_eq!(client.taint_x509("ab").await.unwrap(), state("tainted ab"));
        assert_eq!(client.revoke_x509("ab").await.unwrap_err().code(), Code::FailedPrecondition);
    })
    .await;
}

#[tokio::test]
async fn authority_must_be_named() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let client = LocalAuthorityClient::new(channel);
        for refused in
            [client.activate_x509("").await, client.taint_x509("").await, client.revoke_x509("").await]
        {
            assert_eq!(refused.unwrap_err().message(), "no authority ID provided");
        }
    })
    .await;
}

#[tokio::test]
async fn rpc_not_served_is_named() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let error =
            Stub::new(channel).prepare_jwt_authority(proto::PrepareJwtAuthorityRequest {}).await.unwrap_err();
        assert_eq!(error.message(), "PrepareJWTAuthority is not served by this version");
    })
    .await;
}

#[tokio::test]
async fn wit_authorities_are_not_served_by_name() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let mut stub = Stub::new(channel);
        let id = || "wit".to_owned();
        let refusals = [
            stub.get_wit_authority_state(proto::GetWitAuthorityStateRequest {}).await.unwrap_err(),
            stub.prepare_wit_authority(proto::PrepareWitAuthorityRequest {}).await.unwrap_err(),
            stub.activate_wit_authority(proto::ActivateWitAuthorityRequest { authority_id: id() })
                .await
                .unwrap_err(),
            stub.taint_wit_authority(proto::TaintWitAuthorityRequest { authority_id: id() })
                .await
                .unwrap_err(),
            stub.revoke_wit_authority(proto::RevokeWitAuthorityRequest { authority_id: id() })
                .await
                .unwrap_err(),
        ];
        let names = ["GetWITAuthorityState", "PrepareWITAuthority", "ActivateWITAuthority"];
        let names = names.iter().chain(&["TaintWITAuthority", "RevokeWITAuthority"]);
        for (refusal, name) in refusals.iter().zip(names) {
            assert_eq!(refusal.code(), Code::Unimplemented);
            assert_eq!(refusal.message(), format!("{name} is not served by this version"));
        }
    })
    .await;
}
