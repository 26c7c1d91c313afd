//! What an agent says to workloads, delegates and operators.

use std::collections::HashSet;

use finial_identity::{Audience, BundleSet, JwtSvid, Role, X509Credential};
use finial_receive::X509Context;
use finial_wire::DelegatedWorkload;
use finial_wire::client::{DelegatedIdentityClient, WorkloadClient, agent_info, explain};
use futures_util::{FutureExt, StreamExt};
use tonic::transport::Channel;

use super::Call;
use crate::authority::now;
use crate::bundles;

/// The calls whose answers have something to say. New ones go last: the corpus knows them by position.
pub(super) const CALLS: &[Call] = &[
    |channel| x509_svids(channel).boxed(),
    |channel| x509_bundles(channel).boxed(),
    |channel| jwt_bundles(channel).boxed(),
    |channel| jwt_svids(channel).boxed(),
    |channel| validated(channel).boxed(),
    |channel| delegated_x509_svids(channel).boxed(),
    |channel| delegated_x509_bundles(channel).boxed(),
    |channel| delegated_jwt_svids(channel).boxed(),
    |channel| delegated_jwt_bundles(channel).boxed(),
    |channel| explain(channel, 1).map(drop).boxed(),
    |channel| agent_info(channel).map(drop).boxed(),
];

async fn x509_svids(channel: Channel) {
    let Ok(mut contexts) = WorkloadClient::new(channel).x509_svids().await else { return };
    while let Some(context) = contexts.next().await {
        let Ok(context) = context else { continue };
        let first = context.credentials.first().expect("a default identity (WAP-25)");
        assert_eq!(context.trust_domain, first.svid().id().trust_domain());
        let hints: Vec<&str> = context.credentials.iter().map(X509Credential::hint).collect();
        let named: Vec<&str> = hints.into_iter().filter(|hint| !hint.is_empty()).collect();
        assert_eq!(named.iter().collect::<HashSet<_>>().len(), named.len(), "hints are unique (WAP-14)");
        for credential in &context.credentials {
            check_credential(credential);
            let own = context.bundles.bundle(&credential.svid().id().trust_domain());
            assert!(own.is_some_and(|bundle| !bundle.x509_authorities.is_empty()), "an own bundle");
        }
        check_bundles(&context.bundles);
        let Ok(proven) = X509Context::new(context.credentials, context.bundles, now()) else { continue };
        for credential in proven.credentials() {
            let at = now().max(credential.svid().not_before());
            assert!(credential.svid().verify(proven.bundles(), at, Role::Client).is_ok());
        }
    }
}

async fn x509_bundles(channel: Channel) {
    let Ok(mut updates) = WorkloadClient::new(channel).x509_bundles().await else { return };
    while let Some(bundles) = updates.next().await {
        bundles.iter().for_each(check_bundles);
    }
}

async fn jwt_bundles(channel: Channel) {
    let Ok(mut updates) = WorkloadClient::new(channel).jwt_bundles().await else { return };
    while let Some(bundles) = updates.next().await {
        bundles.iter().for_each(check_bundles);
    }
}

async fn jwt_svids(channel: Channel) {
    let svids = WorkloadClient::new(channel).jwt_svids(&audience(), None).await;
    svids.iter().flatten().for_each(check_token);
}

async fn validated(channel: Channel) {
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOlsiZGIiXSwiZXhwIjoxODkzNDU5NjAwLCJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZy93ZWIifQ.AAAA";
    let svid = WorkloadClient::new(channel).validate_jwt_svid("db", token).await;
    if let Ok(svid) = svid {
        assert_eq!((svid.token(), svid.id().as_str()), (token, "spiffe://example.org/web"));
    }
}

async fn delegated_x509_svids(channel: Channel) {
    let delegate = DelegatedIdentityClient::new(channel);
    let Ok(mut updates) = delegate.x509_svids(&DelegatedWorkload::Process(1)).await else { return };
    while let Some(identities) = updates.next().await {
        identities.iter().flat_map(|identities| &identities.credentials).for_each(check_credential);
    }
}

async fn delegated_x509_bundles(channel: Channel) {
    let Ok(mut updates) = DelegatedIdentityClient::new(channel).x509_bundles().await else { return };
    while let Some(bundles) = updates.next().await {
        bundles.iter().for_each(check_bundles);
    }
}

async fn delegated_jwt_svids(channel: Channel) {
    let delegate = DelegatedIdentityClient::new(channel);
    let svids = delegate.jwt_svids(&DelegatedWorkload::Process(1), &audience()).await;
    svids.iter().flatten().for_each(check_token);
}

async fn delegated_jwt_bundles(channel: Channel) {
    let Ok(mut updates) = DelegatedIdentityClient::new(channel).jwt_bundles().await else { return };
    while let Some(bundles) = updates.next().await {
        bundles.iter().for_each(check_bundles);
    }
}

fn audience() -> Audience {
    Audience::new(["db"]).unwrap()
}

fn check_credential(credential: &X509Credential) {
    let (svid, key) = (credential.svid(), credential.key());
    let again = X509Credential::new(svid.clone(), key.clone(), credential.hint().to_owned());
    assert!(again.is_ok(), "a key that is the certificate's");
}

fn check_token(svid: &JwtSvid) {
    let again = JwtSvid::parse_unverified(svid.token()).unwrap();
    assert_eq!(again.id(), svid.id());
}

fn check_bundles(bundles: &BundleSet) {
    bundles.iter().for_each(|bundle| bundles::check(bundle));
}
