//! Authorities that are added to the bundle by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::{Bundle, KeyKind, PrivateKey};

use super::super::*;
use crate::IssueError;
use crate::testing::House;

const X509: AuthorityKind = AuthorityKind::X509;

async fn append(
    house: &House,
    x509: Vec<X509Authority>,
    jwt: Vec<JwtAuthority>,
) -> Result<Bundle, IssueError> {
    let shelf = house.shelf();
    let mut books = shelf.open().await?;
    books.keep().await?;
    books.append(x509, jwt).await
}

fn jwt_authority(key_id: &str) -> JwtAuthority {
    let public_key = PrivateKey::generate(KeyKind::EcP256).unwrap().public_key().clone();
    JwtAuthority { key_id: key_id.to_owned(), public_key, expires_at: None, tainted: false }
}

/// An authority of somebody else, of the same trust domain.
async fn foreign() -> X509Authority {
    let other = House::new();
    append(&other, vec![], vec![]).await.unwrap().x509_authorities.remove(0)
}

#[tokio::test]
async fn added_authorities_stay_beside_our_own_and_twice_is_once() {
    let house = House::new();
    let (x509, jwt) = (foreign().await, jwt_authority("theirs"));
    let bundle = append(&house, vec![x509.clone(), x509.clone()], vec![jwt.clone()]).await.unwrap();
    assert_eq!((bundle.x509_authorities.len(), bundle.jwt_authorities.len()), (2, 2));
    assert_eq!(append(&house, vec![x509], vec![jwt]).await.unwrap(), bundle);
    assert_eq!(house.store.stored(), bundle);
}

#[tokio::test]
async fn key_id_of_another_key_is_refused_and_nothing_is_added() {
    let house = House::new();
    let before = append(&house, vec![], vec![]).await.unwrap();
    let taken = jwt_authority(&before.jwt_authorities[0].key_id);
    let error = append(&house, vec![foreign().await], vec![taken]).await.unwrap_err();
    assert!(matches!(error, IssueError::KeyIdTaken { .. }), "{error}");
    assert_eq!(house.store.stored(), before);
}

#[tokio::test]
async fn revoked_authority_does_not_come_back() {
    let house = House::new();
    let revoked = append(&house, vec![], vec![]).await.unwrap().x509_authorities.remove(0);
    let shelf = house.shelf();
    let mut books = shelf.open().await.unwrap();
    let next = books.prepare(X509).await.unwrap();
    books.activate(X509, &next.id).await.unwrap();
    books.taint(X509, &revoked.subject_key_id_hex()).await.unwrap();
    books.revoke(X509, &revoked.subject_key_id_hex()).await.unwrap();
    let bundle = append(&house, vec![revoked.clone()], vec![]).await.unwrap();
    assert!(bundle.x509_authorities.iter().all(|held| held.certificate() != revoked.certificate()));
}
