//! What a JWT-SVID says, row by row of the JWT-SVID standard.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use finial_identity::{Bundle, BundleSet, JwtAuthority, KeyKind, TrustDomain};
use finial_keys::{KeyManager, MemoryKeys};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::testing::START;

const NOW: u64 = START.as_secs();

async fn signer(kind: KeyKind) -> JwtSigner {
    let key = MemoryKeys::new().generate("JWT-Signer-A", kind).await.unwrap();
    JwtSigner::new(key, "kid-of-the-authority".to_owned(), now() + Duration::from_hours(24))
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + START
}

fn request(ttl: Duration) -> JwtRequest {
    JwtRequest {
        id: "spiffe://example.org/web".parse().unwrap(),
        audience: Audience::new(["db", "cache"]).unwrap(),
        ttl,
        issuer: None,
        with_token_id: false,
    }
}

/// Header and claims of a token.
fn parts(svid: &JwtSvid) -> (Value, Value) {
    let part = |index| {
        let bytes = URL_SAFE_NO_PAD.decode(svid.token().split('.').nth(index).unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    (part(0), part(1))
}

fn bundles(signer: &JwtSigner) -> BundleSet {
    let mut bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
    bundle.jwt_authorities.push(JwtAuthority {
        key_id: signer.id.clone(),
        public_key: signer.key.public_key().clone(),
        expires_at: Some(signer.not_after),
        tainted: false,
    });
    std::iter::once(Arc::new(bundle)).collect()
}

#[tokio::test]
async fn jsv_02_jsv_06_header_has_alg_kid_and_typ_jwt_only() {
    for (kind, alg) in
        [(KeyKind::EcP256, "ES256"), (KeyKind::EcP384, "ES384"), (KeyKind::Rsa { bits: 2048 }, "RS256")]
    {
        let svid = signer(kind).await.issue(request(Duration::from_mins(5)), now()).await.unwrap();
        assert_eq!(parts(&svid).0, json!({"alg": alg, "kid": "kid-of-the-authority", "typ": "JWT"}));
    }
}

#[tokio::test]
async fn jsv_07_jsv_08_jsv_10_claims_are_subject_audience_list_and_expiry() {
    let svid = signer(KeyKind::EcP256).await.issue(request(Duration::from_mins(5)), now()).await.unwrap();
    let claims = json!({
        "sub": "spiffe://example.org/web",
        "aud": ["db", "cache"],
        "iat": NOW,
        "exp": NOW + 300,
    });
    assert_eq!(parts(&svid).1, claims);
}

#[tokio::test]
async fn single_audience_is_still_a_list() {
    let audience = Audience::new(["db"]).unwrap();
    let request = JwtRequest { audience, ..request(Duration::from_mins(5)) };
    let svid = signer(KeyKind::EcP256).await.issue(request, now()).await.unwrap();
    assert_eq!(parts(&svid).1["aud"], json!(["db"]));
}

#[tokio::test]
async fn issuer_and_token_id_are_there_when_asked_for() {
    let signer = signer(KeyKind::EcP256).await;
    let issue = async || {
        let issuer = Some("https://oidc.example.org".to_owned());
        let request = JwtRequest { issuer, with_token_id: true, ..request(Duration::from_mins(5)) };
        parts(&signer.issue(request, now()).await.unwrap()).1
    };
    let (first, second) = (issue().await, issue().await);
    assert_eq!(first["iss"], "https://oidc.example.org");
    assert!(first["jti"].as_str().unwrap().len() >= 32);
    assert_ne!(first["jti"], second["jti"]);
}

#[tokio::test]
async fn token_verifies_under_the_bundle_and_tampering_shows() {
    for kind in [KeyKind::EcP256, KeyKind::EcP384] {
        let signer = signer(kind).await;
        let svid = signer.issue(request(Duration::from_mins(5)), now()).await.unwrap();
        assert!(JwtSvid::verify(svid.token(), "db", &bundles(&signer), now()).is_ok());
        let (header, rest) = svid.token().split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let claims = json!({"sub": "spiffe://example.org/admin", "aud": ["db"], "exp": NOW + 300});
        let forged = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert!(JwtSvid::verify(&forged, "db", &bundles(&signer), now()).is_err());
    }
}

#[tokio::test]
async fn token_never_outlives_its_authority() {
    let signer = signer(KeyKind::EcP256).await;
    let svid = signer.issue(request(Duration::from_hours(48)), now()).await.unwrap();
    assert_eq!(svid.expires_at(), signer.not_after);
}

#[tokio::test]
async fn authority_near_its_end_signs_no_token() {
    let signer = signer(KeyKind::EcP256).await;
    let late = signer.not_after - Duration::from_secs(9);
    let error = signer.issue(request(Duration::from_mins(5)), late).await.unwrap_err();
    assert!(matches!(error, IssueError::Expiring { kind: AuthorityKind::Jwt, .. }), "{error}");
}

/// How often the standard's warning was given while a token for these audiences was signed.
async fn warnings(audiences: &[&str]) -> usize {
    #[derive(Clone, Default)]
    struct Warnings(Arc<std::sync::atomic::AtomicUsize>);
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let counts = event.metadata().fields().field("audiences").is_some();
            self.0.fetch_add(usize::from(counts), std::sync::atomic::Ordering::SeqCst);
        }
    }
    let seen = Warnings::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(seen.clone()));
    let audience = Audience::new(audiences.iter().copied()).unwrap();
    let request = JwtRequest { audience, ..request(Duration::from_mins(5)) };
    signer(KeyKind::EcP256).await.issue(request, now()).await.unwrap();
    seen.0.load(std::sync::atomic::Ordering::SeqCst)
}

#[tokio::test]
async fn jsv_09_token_for_several_audiences_is_warned_about() {
    assert_eq!(warnings(&["db", "cache"]).await, 1);
    assert_eq!(warnings(&["db"]).await, 0);
}
