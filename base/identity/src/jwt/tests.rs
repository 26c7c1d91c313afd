//! JWT-SVIDs: every row of the standard's checklist that concerns reading, verifying and making one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Audience, JwtClaims, JwtError, JwtSigningInput, JwtSvid};
use crate::{
    Bundle, BundleSet, JwtAuthority, KeyKind, PrivateKey, PublicKey, Role, SpiffeId, Verified, X509Svid,
    testing::{TestCa, authority, bundles, leaf, now, td, uri},
};

const NOW: u64 = 1_781_481_600;

/// One key pair, able to sign with the algorithms of its type.
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    fn for_algorithm(name: &str) -> Self {
        let curve = match name {
            "ES256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
            "ES384" => &ECDSA_P384_SHA384_FIXED_SIGNING,
            "ES512" => &ECDSA_P521_SHA512_FIXED_SIGNING,
            _ => return Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self::Ecdsa(EcdsaKeyPair::generate(curve).unwrap())
    }

    fn public_key(&self) -> PublicKey {
        let spki = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
        };
        PublicKey::from_spki_der(spki.unwrap().as_ref()).unwrap()
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let pair = match self {
            Self::Ecdsa(pair) => return pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => pair,
        };
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "RS256" => &RSA_PKCS1_SHA256,
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            "PS384" => &RSA_PSS_SHA384,
            _ => &RSA_PSS_SHA512,
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &random, message, &mut signature).unwrap();
        signature
    }

    /// A token of exactly this text in header and payload.
    fn token(&self, algorithm: &str, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn authority(&self, key_id: &str) -> JwtAuthority {
        JwtAuthority {
            key_id: key_id.into(),
            public_key: self.public_key(),
            expires_at: None,
            tainted: false,
        }
    }
}

fn bundle_set(trust_domain: &str, jwt_authorities: Vec<JwtAuthority>) -> BundleSet {
    [Arc::new(Bundle { jwt_authorities, ..Bundle::empty(td(trust_domain)) })].into_iter().collect()
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k", "typ": "JWT"})
}

fn payload() -> Value {
    json!({"sub": "spiffe://td/a", "aud": ["service"], "exp": NOW + 300, "iat": NOW})
}

/// The value with members set, or removed when null.
fn with(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => value.as_object_mut().unwrap().remove(name),
            other => value.as_object_mut().unwrap().insert(name.clone(), other.clone()),
        };
    }
    value
}

/// Verifies what a fresh ES256 authority with key ID `k` has signed.
fn verify_text(header: &str, payload: &str) -> Result<Verified<JwtSvid>, JwtError> {
    let signer = Signer::for_algorithm("ES256");
    let bundles = bundle_set("td", vec![signer.authority("k")]);
    JwtSvid::verify(&signer.token("ES256", header, payload), "service", &bundles, now())
}

fn verify_header(changes: &Value) -> Result<Verified<JwtSvid>, JwtError> {
    verify_text(&with(header(), changes).to_string(), &payload().to_string())
}

fn verify_payload(changes: &Value) -> Result<Verified<JwtSvid>, JwtError> {
    verify_text(&header().to_string(), &with(payload(), changes).to_string())
}

#[test]
fn good_token_is_verified() {
    let svid = verify_payload(&json!({})).unwrap();
    assert_eq!(svid.id().as_str(), "spiffe://td/a");
    assert_eq!(svid.audience(), ["service"]);
    assert_eq!(svid.expires_at(), now() + Duration::from_secs(300));
    assert_eq!(svid.issued_at(), Some(now()));
}

#[test]
fn jsv_01_only_the_compact_form_is_read() {
    let signer = Signer::for_algorithm("ES256");
    let bundles = bundle_set("td", vec![signer.authority("k")]);
    let good = signer.token("ES256", &header().to_string(), &payload().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let long = format!("{good}{}", "A".repeat(16 * 1024));
    for token in [
        "",
        ".",
        "..",
        "...",
        &flattened,
        &parts[..2].join("."),
        &format!("{good}."),
        &format!("{good}.x.y"),
        &format!("{good}="),
        &format!("{good} "),
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("Bearer {good}"),
        &good.replacen('.', "=.", 1),
        &good.replacen('.', "", 1),
        &format!("{good}A"),
        &format!("{good}+"),
        &long,
        &format!("{}.{}.", parts[0], parts[1]),
    ] {
        assert!(JwtSvid::verify(token, "service", &bundles, now()).is_err(), "{token}");
    }
    assert!(JwtSvid::verify(&good, "service", &bundles, now()).is_ok());
}

#[test]
fn jsv_01_base64_with_stray_bits_is_refused() {
    // "e30" is `{}`; "e31" decodes to the same bytes when the last two bits are passed over.
    assert!(matches!(JwtSvid::parse_unverified("e31.e30.AA"), Err(JwtError::Malformed(_))));
}

#[test]
fn jsv_02_other_header_parameters_are_refused() {
    for name in ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "crit", "b64", "zip", "ALG"] {
        let outcome = verify_header(&json!({name: "x"}));
        assert!(matches!(outcome, Err(JwtError::Header(found)) if found == name), "{name}");
    }
}

#[test]
fn jsv_02_made_header_has_only_alg_kid_and_typ() {
    let input = JwtSigningInput::new(&claims(), "k", KeyKind::EcP256).unwrap();
    let text = std::str::from_utf8(input.bytes()).unwrap();
    let made = URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), header());
}

#[test]
fn jsv_03_all_nine_algorithms_are_accepted() {
    let rsa = Signer::for_algorithm("RSA");
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        accept_algorithm(algorithm, &rsa);
    }
    for algorithm in ["ES256", "ES384", "ES512"] {
        accept_algorithm(algorithm, &Signer::for_algorithm(algorithm));
    }
}

fn accept_algorithm(algorithm: &str, signer: &Signer) {
    let bundles = bundle_set("td", vec![signer.authority("k")]);
    let header = with(header(), &json!({"alg": algorithm})).to_string();
    let token = signer.token(algorithm, &header, &payload().to_string());
    JwtSvid::verify(&token, "service", &bundles, now()).expect(algorithm);
}

#[test]
fn jsv_03_other_algorithms_are_refused_before_anything_else_is_read() {
    for name in
        ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "EdDSA", "ES256K", "es256", "ML-DSA-44"]
    {
        let header = with(header(), &json!({"alg": name})).to_string();
        let outcome = verify_text(&header, "not json");
        assert!(matches!(outcome, Err(JwtError::Algorithm(found)) if found == name), "{name}");
    }
    for changes in [json!({"alg": null}), json!({"alg": 1}), json!({"alg": ["ES256"]})] {
        assert!(matches!(verify_header(&changes), Err(JwtError::Malformed(_))));
    }
}

#[test]
fn jsv_03_hmac_with_a_public_key_is_refused() {
    let signer = Signer::for_algorithm("RSA");
    let bundles = bundle_set("td", vec![signer.authority("k")]);
    let header = with(header(), &json!({"alg": "HS256"})).to_string();
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload().to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, signer.public_key().spki_der());
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert!(matches!(JwtSvid::verify(&token, "service", &bundles, now()), Err(JwtError::Algorithm(_))));
}

#[test]
fn jsv_03_ed25519_key_in_the_bundle_is_of_no_use() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public_key = PublicKey::from_spki_der(pair.public_key().as_der().unwrap().as_ref()).unwrap();
    let authority = JwtAuthority { key_id: "k".into(), public_key, expires_at: None, tainted: false };
    let bundles = bundle_set("td", vec![authority]);
    for algorithm in ["EdDSA", "ES256", "RS256"] {
        let header = with(header(), &json!({"alg": algorithm})).to_string();
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload().to_string()));
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())));
        assert!(JwtSvid::verify(&token, "service", &bundles, now()).is_err(), "{algorithm}");
    }
}

#[test]
fn jsv_04_algorithm_must_fit_type_and_curve_of_the_key() {
    for (algorithm, key) in [
        ("RS256", "ES256"),
        ("ES384", "ES256"),
        ("ES256", "ES384"),
        ("ES512", "ES384"),
        ("ES256", "RS256"),
        ("PS256", "ES256"),
    ] {
        let signer = Signer::for_algorithm(key);
        let bundles = bundle_set("td", vec![signer.authority("k")]);
        let header = with(header(), &json!({"alg": algorithm})).to_string();
        let token = signer.token(key, &header, &payload().to_string());
        let outcome = JwtSvid::verify(&token, "service", &bundles, now());
        assert!(matches!(outcome, Err(JwtError::NoKey(_))), "{algorithm} {key}");
    }
}

#[test]
fn jsv_04_algorithm_must_be_the_one_the_jwk_is_for() {
    let signer = Signer::for_algorithm("RS256");
    let set = bundle_set("td", vec![signer.authority("k")]);
    let jwks = set.bundle(&td("td")).unwrap().to_jwks();
    let restricted = jwks.replace("\"kty\"", "\"alg\": \"RS256\", \"kty\"");
    let bundles =
        [Arc::new(Bundle::parse_jwks(td("td"), restricted.as_bytes()).unwrap())].into_iter().collect();
    let outcome = |algorithm: &str| {
        let header = with(header(), &json!({"alg": algorithm})).to_string();
        JwtSvid::verify(&signer.token(algorithm, &header, &payload().to_string()), "service", &bundles, now())
    };
    assert!(outcome("RS256").is_ok());
    assert!(matches!(outcome("PS256"), Err(JwtError::NoKey(_))));
    assert!(matches!(outcome("RS512"), Err(JwtError::NoKey(_))));
}

#[test]
fn jsv_05_token_without_key_id_is_tried_with_every_fitting_key() {
    let (first, second, foreign) =
        (Signer::for_algorithm("ES256"), Signer::for_algorithm("ES256"), Signer::for_algorithm("ES256"));
    let bundles = bundle_set(
        "td",
        vec![Signer::for_algorithm("ES384").authority("other"), first.authority("1"), second.authority("2")],
    );
    let header = with(header(), &json!({"kid": null})).to_string();
    let outcome = |signer: &Signer| {
        JwtSvid::verify(&signer.token("ES256", &header, &payload().to_string()), "service", &bundles, now())
    };
    assert!(outcome(&first).is_ok() && outcome(&second).is_ok());
    assert!(matches!(outcome(&foreign), Err(JwtError::Signature)));
}

#[test]
fn jsv_05_key_id_that_is_no_string_is_refused() {
    for kid in [json!(1), json!(["k"]), json!(true)] {
        assert!(matches!(verify_header(&json!({"kid": kid})), Err(JwtError::Malformed(_))));
    }
    assert!(matches!(verify_header(&json!({"kid": ""})), Err(JwtError::NoKey(_))));
    assert!(matches!(verify_header(&json!({"kid": "K"})), Err(JwtError::NoKey(_))));
}

#[test]
fn jsv_06_sid_23_typ_is_jwt_or_jose_or_absent() {
    for changes in [json!({}), json!({"typ": "JOSE"}), json!({"typ": null})] {
        assert!(verify_header(&changes).is_ok());
    }
    for typ in [json!("wit+jwt"), json!("at+jwt"), json!("jwt"), json!(""), json!(1), json!(["JWT"])] {
        assert!(matches!(verify_header(&json!({"typ": typ})), Err(JwtError::Malformed(_))), "{typ}");
    }
    let null = r#"{"alg":"ES256","kid":"k","typ":null}"#;
    assert!(matches!(verify_text(null, &payload().to_string()), Err(JwtError::Malformed(_))));
}

#[test]
fn jsv_07_subject_is_a_spiffe_id() {
    for sub in [json!(null), json!(1), json!(["spiffe://td/a"])] {
        assert!(matches!(verify_payload(&json!({"sub": sub})), Err(JwtError::Claim { claim: "sub", .. })));
    }
    for sub in [
        "",
        "a",
        "https://td/a",
        "spiffe://",
        "spiffe://TD/a",
        "spiffe://td/a/",
        "spiffe://td/a?x",
        "spiffe://td//a",
    ] {
        assert!(matches!(verify_payload(&json!({"sub": sub})), Err(JwtError::Subject(_))), "{sub}");
    }
}

#[test]
fn jsv_08_audience_is_present_and_holds_the_verifiers() {
    for aud in [json!("service"), json!(["service"]), json!(["other", "service"])] {
        assert!(verify_payload(&json!({"aud": aud})).is_ok(), "{aud}");
    }
    for aud in [json!("other"), json!(["other"]), json!("Service"), json!("service/"), json!("serv")] {
        assert!(matches!(verify_payload(&json!({"aud": aud})), Err(JwtError::OtherAudience(_))), "{aud}");
    }
    for aud in [
        json!(null),
        json!(""),
        json!([]),
        json!([""]),
        json!(["service", ""]),
        json!(1),
        json!([1]),
        json!({}),
    ] {
        assert!(
            matches!(verify_payload(&json!({"aud": aud})), Err(JwtError::Claim { claim: "aud", .. })),
            "{aud}"
        );
    }
}

#[test]
fn jsv_08_verifier_cannot_go_without_audience() {
    let outcome = JwtSvid::verify("whatever", "", &BundleSet::default(), now());
    assert!(matches!(outcome, Err(JwtError::Audience)));
    assert!(Audience::new(Vec::<String>::new()).is_err());
    assert!(Audience::new([""]).is_err() && Audience::new(["a", ""]).is_err());
    assert_eq!(Audience::new(["a", "b"]).unwrap().iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn jsv_10_expiry_is_a_whole_number_not_in_the_past() {
    for exp in
        [json!(null), json!("9999999999"), json!(1e10), json!(-1), json!(u64::MAX), json!([1]), json!(true)]
    {
        let outcome = verify_payload(&json!({"exp": exp}));
        assert!(matches!(outcome, Err(JwtError::Claim { claim: "exp", .. })), "{exp}");
    }
    let fraction = payload().to_string().replace(&(NOW + 300).to_string(), "9999999999.5");
    assert!(matches!(verify_text(&header().to_string(), &fraction), Err(JwtError::Claim { .. })));
    // One minute of leeway.
    assert!(verify_payload(&json!({"exp": NOW - 59})).is_ok());
    assert!(matches!(verify_payload(&json!({"exp": NOW - 60})), Err(JwtError::Expired)));
    assert!(matches!(verify_payload(&json!({"exp": 0})), Err(JwtError::Expired)));
}

#[test]
fn spire_1_12_3_token_without_an_end_is_refused() {
    let mut endless = payload();
    endless.as_object_mut().unwrap().remove("exp");
    let outcome = verify_text(&header().to_string(), &endless.to_string());
    assert!(matches!(outcome, Err(JwtError::Claim { claim: "exp", problem: "is missing" })));
}

#[test]
fn verified_token_is_looked_at_again_but_for_its_signature() {
    let svid = verify_payload(&json!({"nbf": NOW})).unwrap();
    let at = |seconds: u64| std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    svid.verify_again("service", at(NOW)).unwrap();
    assert!(matches!(svid.verify_again("", at(NOW)), Err(JwtError::Audience)));
    assert!(matches!(svid.verify_again("others", at(NOW)), Err(JwtError::OtherAudience(_))));
    assert!(matches!(svid.verify_again("service", at(NOW - 61)), Err(JwtError::NotYetValid)));
    assert!(svid.verify_again("service", at(NOW + 359)).is_ok(), "one minute of leeway");
    assert!(matches!(svid.verify_again("service", at(NOW + 360)), Err(JwtError::Expired)));
}

#[test]
fn jsv_11_token_from_the_future_is_refused() {
    assert!(verify_payload(&json!({"nbf": NOW + 60})).is_ok());
    assert!(matches!(verify_payload(&json!({"nbf": NOW + 61})), Err(JwtError::NotYetValid)));
    assert!(matches!(verify_payload(&json!({"nbf": NOW + 300})), Err(JwtError::NotYetValid)));
    for claim in ["nbf", "iat"] {
        for value in [json!("1"), json!(1.5), json!(-1)] {
            assert!(matches!(verify_payload(&json!({claim: value})), Err(JwtError::Claim { .. })), "{claim}");
        }
    }
}

#[test]
fn rule_8_jsv_11_every_altered_character_is_noticed() {
    let signer = Signer::for_algorithm("ES256");
    let bundles = bundle_set("td", vec![signer.authority("k")]);
    let token = signer.token("ES256", &header().to_string(), &payload().to_string());
    for index in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(JwtSvid::verify(&altered, "service", &bundles, now()).is_err(), "character {index}");
    }
}

#[test]
fn jsv_11_signature_in_der_form_is_refused() {
    let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
    let authority = JwtAuthority {
        key_id: "k".into(),
        public_key: key.public_key().clone(),
        expires_at: None,
        tainted: false,
    };
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header().to_string()),
        URL_SAFE_NO_PAD.encode(payload().to_string())
    );
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap()));
    let outcome = JwtSvid::verify(&token, "service", &bundle_set("td", vec![authority]), now());
    assert!(matches!(outcome, Err(JwtError::Signature)));
}

#[test]
fn jsv_12_sid_22_key_comes_from_the_bundle_of_the_subjects_trust_domain() {
    let (of_a, of_b) = (Signer::for_algorithm("ES256"), Signer::for_algorithm("ES256"));
    let mut both = bundle_set("a", vec![of_a.authority("k")]);
    both.insert(bundle_set("b", vec![of_b.authority("k")]).bundle(&td("b")).unwrap().clone());
    let payload = with(payload(), &json!({"sub": "spiffe://b/workload"})).to_string();
    let outcome = |signer: &Signer, bundles: &BundleSet| {
        JwtSvid::verify(&signer.token("ES256", &header().to_string(), &payload), "service", bundles, now())
    };
    assert!(outcome(&of_b, &both).is_ok());
    assert!(matches!(outcome(&of_a, &both), Err(JwtError::Signature)));
    let only_a = bundle_set("a", vec![of_a.authority("k"), of_b.authority("k")]);
    assert!(matches!(outcome(&of_b, &only_a), Err(JwtError::NoBundle(name)) if name.name() == "b"));
}

#[test]
fn wap_12_an_authority_of_one_kind_vouches_for_documents_of_that_kind_only() {
    let signer = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let ca = TestCa::with_key(authority("root"), signer.to_pkcs8v1().unwrap().as_ref());
    let signer = Signer::Ecdsa(signer);
    let token = signer.token("ES256", &header().to_string(), &payload().to_string());
    let svid = X509Svid::from_chain(vec![ca.sign(&leaf(vec![uri("spiffe://td/a")]))]).unwrap();
    let for_jwt = bundle_set("td", vec![signer.authority("k")]);
    let for_x509 = bundles("td", [ca.x509_authority()]);
    let verified = |bundles: &BundleSet| {
        let token = JwtSvid::verify(&token, "service", bundles, now());
        (token.is_ok(), svid.verify(bundles, now(), Role::Client).is_ok())
    };
    assert_eq!((verified(&for_jwt), verified(&for_x509)), ((true, false), (false, true)));
}

#[test]
fn jsv_16_jsv_09_custom_claims_and_many_audiences_reach_the_caller() {
    let svid = verify_payload(&json!({
        "aud": ["service", "other"], "jti": "1", "iss": "x", "custom": {"a": [1, 2.5, null]}
    }))
    .unwrap();
    assert_eq!(svid.claims()["custom"], json!({"a": [1, 2.5, null]}));
    assert_eq!(svid.claims()["jti"], "1");
    assert_eq!(svid.audience(), ["service", "other"]);
}

#[test]
fn duplicate_members_are_refused() {
    let twice = payload().to_string().replacen('{', r#"{"sub":"spiffe://td/b","#, 1);
    assert!(matches!(
        verify_text(&header().to_string(), &twice),
        Err(JwtError::Json { part: "payload", .. })
    ));
    let twice = header().to_string().replacen('{', r#"{"alg":"none","#, 1);
    assert!(matches!(
        verify_text(&twice, &payload().to_string()),
        Err(JwtError::Json { part: "header", .. })
    ));
}

#[test]
fn tdb_08_empty_bundle_makes_every_token_invalid() {
    let signer = Signer::for_algorithm("ES256");
    let token = signer.token("ES256", &header().to_string(), &payload().to_string());
    assert!(matches!(
        JwtSvid::verify(&token, "service", &bundle_set("td", vec![]), now()),
        Err(JwtError::NoKey(_))
    ));
}

#[test]
fn subject_without_path_is_accepted() {
    assert!(verify_payload(&json!({"sub": "spiffe://td"})).is_ok());
}

#[test]
fn unverified_token_is_parsed_as_strictly() {
    let signer = Signer::for_algorithm("ES256");
    let token =
        signer.token("ES256", &header().to_string(), &with(payload(), &json!({"exp": 1})).to_string());
    let svid = JwtSvid::parse_unverified(&token).unwrap().with_hint("internal");
    assert_eq!((svid.hint(), svid.token()), ("internal", token.as_str()));
    assert_eq!(format!("{svid:?}"), "JwtSvid(spiffe://td/a, …)");
    let no_audience = with(payload(), &json!({"aud": null})).to_string();
    assert!(JwtSvid::parse_unverified(&signer.token("ES256", &header().to_string(), &no_audience)).is_err());
}

fn claims() -> JwtClaims {
    JwtClaims {
        subject: SpiffeId::parse("spiffe://td/a").unwrap(),
        audience: Audience::new(["service"]).unwrap(),
        issued_at: now(),
        expires_at: now() + Duration::from_secs(300),
        issuer: None,
        id: None,
    }
}

#[test]
fn made_tokens_verify() {
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa { bits: 2048 }] {
        let key = PrivateKey::generate(kind).unwrap();
        let input = JwtSigningInput::new(&claims(), "k", kind).unwrap();
        let signature = key.sign(input.bytes()).unwrap();
        let token = input.finish(&signature).unwrap();
        let public_key = key.public_key().clone();
        let authority = JwtAuthority { key_id: "k".into(), public_key, expires_at: None, tainted: false };
        let svid = JwtSvid::verify(&token, "service", &bundle_set("td", vec![authority]), now()).unwrap();
        assert_eq!(Value::Object(svid.claims().clone()), payload());
    }
}

#[test]
fn optional_claims_are_written_when_given() {
    let claims = JwtClaims { issuer: Some("https://i".into()), id: Some("j".into()), ..claims() };
    let input = JwtSigningInput::new(&claims, "k", KeyKind::EcP256).unwrap();
    let text = std::str::from_utf8(input.bytes()).unwrap();
    let made = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let expected = with(payload(), &json!({"iss": "https://i", "jti": "j"}));
    assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), expected);
}

#[test]
fn tokens_are_made_for_p256_p384_and_rsa_only() {
    for kind in [KeyKind::EcP521, KeyKind::Ed25519] {
        assert!(matches!(JwtSigningInput::new(&claims(), "k", kind), Err(JwtError::SigningKey(_))));
    }
}

#[test]
fn token_by_rsa_says_rs256_and_has_a_signature_as_long_as_its_key() {
    let input = || JwtSigningInput::new(&claims(), "k", KeyKind::Rsa { bits: 4096 }).unwrap();
    let header = URL_SAFE_NO_PAD.decode(input().bytes().split(|byte| *byte == b'.').next().unwrap()).unwrap();
    let expected = json!({"alg": "RS256", "kid": "k", "typ": "JWT"});
    assert_eq!(serde_json::from_slice::<Value>(&header).unwrap(), expected);
    assert!(input().finish(&[1; 512]).is_ok());
    for length in [0, 256, 511, 513] {
        assert!(matches!(input().finish(&vec![1; length]), Err(JwtError::MalformedSignature)), "{length}");
    }
}

#[test]
fn signature_is_padded_to_the_curve_and_refused_beyond_it() {
    let finish = |der: &[u8]| JwtSigningInput::new(&claims(), "k", KeyKind::EcP256).unwrap().finish(der);
    let token = finish(&[0x30, 6, 2, 1, 1, 2, 1, 2]).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap();
    let expected = [&[0; 31][..], &[1], &[0; 31], &[2]].concat();
    assert_eq!(signature, expected);
    let too_long = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
    for der in [&[][..], &[0x30, 0], &[0x30, 3, 2, 1, 1], &[0x30, 6, 2, 1, 0xff, 2, 1, 1], &too_long] {
        assert!(matches!(finish(der), Err(JwtError::MalformedSignature)));
    }
}
