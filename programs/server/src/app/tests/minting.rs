//! SVIDs that operators mint, by name and without an entry.

use std::time::Duration;

use finial_identity::{Audience, CertificateRequest, JwtSvid, KeyKind, PrivateKey, Role, SpiffeId};
use finial_wire::client::{BundleClient, LocalAuthorityClient, SvidClient};
use tonic::Code;

use super::fixture::{Server, id};

fn key() -> PrivateKey {
    PrivateKey::generate(KeyKind::EcP256).unwrap()
}

fn csr(id: &SpiffeId) -> Vec<u8> {
    CertificateRequest::create_to_mint(&key(), id, &["web.example.org"]).unwrap()
}

#[tokio::test]
async fn local_operator_mints_svids_that_verify() {
    let server = Server::start().await;
    let client = SvidClient::new(server.operator());
    let svid = client.mint_x509_svid(csr(&id("/web")), Some(Duration::from_mins(5))).await.unwrap();
    let audience = Audience::new(["db"]).unwrap();
    let token = client.mint_jwt_svid(&id("/web"), &audience, None).await.unwrap();
    let bundles = server.bundles().await;
    let now = server.now();
    assert_eq!(svid.verify(&bundles, now, Role::Server).unwrap().id(), &id("/web"));
    assert_eq!(svid.not_after(), now + Duration::from_mins(5));
    assert_eq!(token.expires_at(), now + Duration::from_mins(5), "default_jwt_svid_ttl");
    assert_eq!(JwtSvid::verify(token.token(), "db", &bundles, now).unwrap().id(), &id("/web"));
    server.stop().await;
}

#[tokio::test]
async fn an_agent_and_a_stranger_mint_nothing() {
    let server = Server::start().await;
    let agent = server.agent().await;
    let audience = Audience::new(["db"]).unwrap();
    for channel in [server.stranger(Some(agent.credential.clone())).await, server.stranger(None).await] {
        let client = SvidClient::new(channel);
        let refused = client.mint_x509_svid(csr(&id("/web")), None).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let refused = client.mint_jwt_svid(&id("/web"), &audience, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_workload_or_no_request_is_not_minted() {
    let server = Server::start().await;
    let client = SvidClient::new(server.operator());
    let audience = Audience::new(["db"]).unwrap();
    let foreign = SpiffeId::parse("spiffe://other.test/web").unwrap();
    for refused in [foreign, id("/spire/server"), id("/spire/agent/join_token/a")] {
        let text = format!("`{refused}` is not the id of a workload of trust domain `example.org`");
        for status in [
            client.mint_x509_svid(csr(&refused), None).await.unwrap_err(),
            client.mint_jwt_svid(&refused, &audience, None).await.unwrap_err(),
        ] {
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text.as_str()));
        }
    }
    let mut altered = csr(&id("/web"));
    *altered.last_mut().unwrap() ^= 1;
    let nameless = CertificateRequest::create(&key(), None).unwrap();
    for (csr, text) in [
        (vec![1], "failed to parse CSR: certificate request is malformed"),
        (altered, "failed to parse CSR: certificate request is "),
        (nameless, "failed to parse CSR: CSR URI SAN is required"),
        (vec![0; 17 * 1024], "failed to parse CSR: certificate request is 17408 bytes"),
    ] {
        let status = client.mint_x509_svid(csr, None).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(text), "{}", status.message());
    }
    server.stop().await;
}

#[tokio::test]
async fn jwt_authority_is_turned_by_hand_and_its_tokens_end_with_it() {
    let server = Server::start().await;
    let client = LocalAuthorityClient::new(server.operator());
    let audience = Audience::new(["db"]).unwrap();
    let mint = async || {
        let client = SvidClient::new(server.operator());
        client.mint_jwt_svid(&id("/web"), &audience, None).await.unwrap()
    };
    let before = mint().await;
    let first = client.jwt_authorities().await.unwrap().active.unwrap();
    let prepared = client.prepare_jwt().await.unwrap();
    assert_eq!(client.jwt_authorities().await.unwrap().prepared, Some(prepared.clone()));
    let refused = client.taint_jwt(first.id.as_str()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "it still signs");
    assert_eq!(client.activate_jwt(prepared.id.as_str()).await.unwrap(), prepared);
    let refused = client.revoke_jwt(first.id.as_str()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "it is not tainted");
    let after = mint().await;
    assert_eq!(client.taint_jwt(first.id.as_str()).await.unwrap(), first);
    let bundle = BundleClient::new(server.operator()).bundle().await.unwrap();
    let tainted: Vec<_> = bundle.jwt_authorities.iter().filter(|it| it.tainted).collect();
    assert_eq!(tainted.iter().map(|it| it.key_id.as_str()).collect::<Vec<_>>(), [first.id.as_str()]);
    assert_eq!(client.revoke_jwt(first.id.as_str()).await.unwrap(), first);
    let (bundles, now) = (server.bundles().await, server.now());
    JwtSvid::verify(after.token(), "db", &bundles, now).unwrap();
    JwtSvid::verify(before.token(), "db", &bundles, now).unwrap_err();
    let x509 = client.x509_authorities().await.unwrap();
    assert!(x509.prepared.is_none() && x509.old.is_none(), "the other kind stays as it is");
    server.stop().await;
}
