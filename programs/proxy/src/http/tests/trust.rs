//! What a caller is told of when its certificate is of another kind, and what happens when its trust goes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::Stage;
use crate::fixtures::{World, app, beside, listener};
use crate::{AccessFlags, Config, CredentialFlags, ServerConfig};

#[tokio::test]
async fn a_caller_whose_trust_falls_is_cut_in_the_middle_of_a_request() {
    let stage = Stage::new().await;
    let app = stage.app().await;
    let address = app.address().unwrap();
    let test = async {
        let mut caller = stage.call(address, "http/1.1").await;
        caller.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let (mut backend, _) = stage.backend.accept().await.unwrap();
        backend.read_u8().await.unwrap();
        backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
        while caller.read_u8().await.unwrap() != b'f' {}
        stage.writer.withdraw("the entry is gone");
        assert!(caller.read_u8().await.is_err());
        let mut rest = Vec::new();
        backend.read_to_end(&mut rest).await.unwrap();
    };
    beside(app, &stage.world.clock, test).await;
}

#[tokio::test]
async fn without_authentication_there_is_nobody_to_tell_of() {
    let world = World::new();
    let (_backend, target) = listener().await;
    let (_writer, source) = world.party(crate::fixtures::SERVER);
    let open = ServerConfig {
        identity_header: true,
        disable_authentication: true,
        allow: AccessFlags::default(),
        ..world.server(target)
    };
    let error = app(open, source.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "--identity-header and --disable-authentication are mutually exclusive: nobody is known"
    );
    let alone = ServerConfig { target_http2: true, ..world.server(target) };
    let error = app(alone, source).await.unwrap_err();
    assert_eq!(error.to_string(), "--target-http2 requires --identity-header");
}

#[tokio::test]
async fn nobody_vouches_for_the_names_of_a_pinned_key() {
    let folder = tempfile::TempDir::new().unwrap();
    let pem = |name: &str| Some(folder.path().join(name));
    let credentials =
        CredentialFlags { certificate: pem("a.pem"), key: pem("a.key"), ..CredentialFlags::default() };
    let allow = AccessFlags { pins: vec![format!("sha256:{}=", "A".repeat(43))], ..AccessFlags::default() };
    let config = ServerConfig::new("localhost:0", "localhost:1", credentials);
    let error = Config::from(ServerConfig { identity_header: true, allow, ..config }).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "--identity-header and --allow-spki-pin are mutually exclusive: nobody vouches for names"
    );
}
