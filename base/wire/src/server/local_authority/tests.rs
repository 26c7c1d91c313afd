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
use crate::{AuthorityState, AuthorityStates, LocalAuthorityKind as Kind};

struct Fake;

fn state(id: impl Into<String>) -> AuthorityState {
    AuthorityState { id: id.into(), expires_at: noon(), upstream_subject_key_id: None }
}

#[async_trait]
impl LocalAuthorityApi for Fake {
    async fn authorities(&self, _: &Extensions, kind: Kind) -> Result<AuthorityStates, Status> {
        let upstream = AuthorityState { upstream_subject_key_id: Some("up".to_owned()), ..state("old") };
        let active = Some(state(format!("active {kind:?}")));
        Ok(AuthorityStates { active, prepared: None, old: Some(upstream) })
    }

    async fn prepare(&self, _: &Extensions, kind: Kind) -> Result<AuthorityState, Status> {
        Ok(state(format!("prepared {kind:?}")))
    }

    async fn activate(&self, _: &Extensions, kind: Kind, id: String) -> Result<AuthorityState, Status> {
        Ok(state(format!("activated {kind:?} {id}")))
    }

    async fn taint(&self, _: &Extensions, kind: Kind, id: String) -> Result<AuthorityState, Status> {
        Ok(state(format!("tainted {kind:?} {id}")))
    }

    async fn revoke(&self, _: &Extensions, kind: Kind, _: String) -> Result<AuthorityState, Status> {
        Err(Status::failed_precondition(format!("no old {kind:?} authority")))
    }
}

#[tokio::test]
async fn authorities_are_shown_and_turned() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let client = LocalAuthorityClient::new(channel);
        let shown = Fake.authorities(&Extensions::default(), Kind::X509).await.unwrap();
        assert_eq!(client.x509_authorities().await.unwrap(), shown);
        assert_eq!(client.prepare_x509().await.unwrap(), state("prepared X509"));
        assert_eq!(client.activate_x509("ab").await.unwrap(), state("activated X509 ab"));
        assert_eq!(client.taint_x509("ab").await.unwrap(), state("tainted X509 ab"));
        let refused = client.revoke_x509("ab").await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "no old X509 authority"));
    })
    .await;
}

#[tokio::test]
async fn jwt_authorities_are_shown_and_turned() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let client = LocalAuthorityClient::new(channel);
        let shown = Fake.authorities(&Extensions::default(), Kind::Jwt).await.unwrap();
        assert_eq!(client.jwt_authorities().await.unwrap(), shown);
        assert_eq!(client.prepare_jwt().await.unwrap(), state("prepared Jwt"));
        assert_eq!(client.activate_jwt("ab").await.unwrap(), state("activated Jwt ab"));
        assert_eq!(client.taint_jwt("ab").await.unwrap(), state("tainted Jwt ab"));
        let refused = client.revoke_jwt("ab").await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "no old Jwt authority"));
    })
    .await;
}

#[tokio::test]
async fn authority_must_be_named() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let client = LocalAuthorityClient::new(channel);
        for refused in [
            client.activate_x509("").await,
            client.taint_x509("").await,
            client.revoke_x509("").await,
            client.activate_jwt("").await,
            client.taint_jwt("").await,
            client.revoke_jwt("").await,
        ] {
            assert_eq!(refused.unwrap_err().message(), "no authority ID provided");
        }
    })
    .await;
}

#[tokio::test]
async fn rpc_not_served_is_named() {
    served(local_authority_service(Arc::new(Fake)), async |channel| {
        let request = proto::TaintX509UpstreamAuthorityRequest::default();
        let error = Stub::new(channel).taint_x509_upstream_authority(request).await.unwrap_err();
        assert_eq!(error.message(), "TaintX509UpstreamAuthority is not served by this version");
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
