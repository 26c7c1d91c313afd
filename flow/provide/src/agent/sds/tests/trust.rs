//! Whom an Envoy trusts: by its version and settings, and when a bundle goes.

use finial_wire::SecretRequest;
use tonic::Code;

use super::*;

/// What an Envoy that describes itself so gets under these names.
async fn asked_by(case: &Case, node: EnvoyNode, names: &[&str]) -> Vec<String> {
    let mut stream = case.open(SecretRequest { node: Some(node), ..asking(names) }).await;
    contents(&case.next(&mut stream).await.secrets)
}

#[tokio::test]
async fn federated_bundles_are_served_by_their_ids_and_together() {
    let case = Case::new([open_web()]).await;
    let mut stream = case.open(asking(&["spiffe://other.test", "ALL"])).await;
    assert_eq!(
        contents(&case.next(&mut stream).await.secrets),
        ["ALL: validator of example.org and other.test", "spiffe://other.test: validator of other.test"]
    );
}

#[tokio::test]
async fn envoy_before_1_18_gets_authorities() {
    let case = Case::new([web()]).await;
    for (version, content) in [((1, 17), "authorities"), ((1, 18), "validator"), ((2, 0), "validator")] {
        let secrets = asked_by(&case, node(version, &[]), &["ROOTCA"]).await;
        assert_eq!(secrets, [format!("ROOTCA: {content} of example.org")]);
    }
}

#[tokio::test]
async fn envoy_may_do_without_the_validator() {
    let case = Case::new([web()]).await;
    for (value, content) in [("true", "authorities"), ("1", "authorities"), ("false", "validator")] {
        let node = node((1, 40), &[("disable_spiffe_cert_validation", value)]);
        let secrets = asked_by(&case, node, &["ROOTCA"]).await;
        assert_eq!(secrets, [format!("ROOTCA: {content} of example.org")]);
    }
}

#[tokio::test]
async fn all_bundles_need_the_validator() {
    let case = Case::new([web()]).await;
    let old = SecretRequest { node: Some(node((1, 17), &[])), ..asking(&["ALL"]) };
    let mut stream = case.open(old).await;
    let status = case.end(&mut stream, SOON).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("`ALL` needs the SPIFFE validator"), "{status}");
}

#[tokio::test]
async fn envoy_gives_the_names_of_its_own_in_its_first_message() {
    let case = Case::new([web()]).await;
    let settings = [
        ("default_svid_name", "mine"),
        ("default_bundle_name", "trusted"),
        ("default_all_bundles_name", "ROOTCA"),
    ];
    let names = ["mine", "trusted", "ROOTCA"];
    let first = SecretRequest { node: Some(node((1, 40), &settings)), ..asking(&["mine"]) };
    let mut stream = case.open(first).await;
    let update = case.next(&mut stream).await;
    assert_eq!(contents(&update.secrets), ["mine: /web"]);
    // Only the first message tells who asks.
    stream.send(taken(&names, &update));
    assert_eq!(
        contents(&case.next(&mut stream).await.secrets),
        ["ROOTCA: validator of example.org", "trusted: validator of example.org"]
    );
}

#[tokio::test]
async fn bundle_that_is_no_longer_federated_leaves_all_and_is_replaced_by_nobody() {
    let case = Case::new([open_web()]).await;
    let names = ["ALL", "spiffe://other.test"];
    let mut stream = case.open(asking(&names)).await;
    let update = case.next(&mut stream).await;
    stream.send(taken(&names, &update));
    case.agent.server.put(web());
    let gone = ["ALL: validator of example.org", "spiffe://other.test: nobody"];
    assert_eq!(contents(&case.next(&mut stream).await.secrets), gone);
    case.silence(&mut stream).await;
    case.agent.server.put(open_web());
    let back =
        ["ALL: validator of example.org and other.test", "spiffe://other.test: validator of other.test"];
    assert_eq!(contents(&case.next(&mut stream).await.secrets), back);
}

#[tokio::test]
async fn bundle_that_went_between_two_streams_is_replaced_by_nobody() {
    let case = Case::new([web()]).await;
    let held = SecretRequest { version: "7".to_owned(), ..asking(&["spiffe://other.test"]) };
    let mut stream = case.open(held).await;
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["spiffe://other.test: nobody"]);
}

#[tokio::test]
async fn bundle_without_x509_authorities_is_none() {
    let case = Case::with_server([open_web()], |server| server.federate(Bundle::empty(other())));
    let mut stream = case.open(asking(&["ALL", "spiffe://other.test"])).await;
    assert_eq!(contents(&case.next(&mut stream).await.secrets), ["ALL: validator of example.org"]);
}

#[tokio::test]
async fn change_that_no_envoy_sees_is_not_sent() {
    let case = Case::new([web()]).await;
    let mut stream = case.open(asking(&["ROOTCA"])).await;
    case.next(&mut stream).await;
    case.agent.server.use_jwt_key("jwt-2");
    case.silence(&mut stream).await;
}
