//! For tests: a certificate authority that makes SVIDs that are right, and ones that are wrong in one respect; and an
//! agent that answers as the test tells it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot make its certificates must fail"
)]

mod fake_agent;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use finial_identity::{
    Bundle, BundleSet, ForeignChain, PrivateKey, TrustDomain, X509Authority, X509Credential, X509Svid,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
};
use rustls_pki_types::CertificateDer;

pub use self::fake_agent::{FakeAgent, JwtAnswer, Session};

/// The instant at which the clocks of tests start: 2027-01-15 08:00:00 UTC.
pub fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// How long an SVID lives unless it was said otherwise.
pub const SVID_TTL: Duration = Duration::from_secs(3600);

/// The root authority of one trust domain, valid for a day before and ten after [`start`].
#[derive(Debug)]
pub struct Authority {
    trust_domain: TrustDomain,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new key and root for a trust domain. Two of the same domain have nothing else in common.
    pub fn new(trust_domain: &str) -> Self {
        let trust_domain = TrustDomain::parse(trust_domain).unwrap();
        let mut params = params(trust_domain.id().as_str(), start() - DAY, start() + 10 * DAY);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        // Each root has a name of its own, so that a chain cannot be taken for another's.
        let name = PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap().public_key().subject_key_id();
        params.distinguished_name.push(DnType::CommonName, format!("{:02x?}", &name[..8]));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { trust_domain, certificate, issuer: Issuer::new(params, key) }
    }

    /// The bundle that holds this authority alone.
    pub fn bundle(&self) -> Arc<Bundle> {
        self.bundle_with(&[])
    }

    /// The bundle that holds this authority and others of the same trust domain.
    pub fn bundle_with(&self, others: &[&Authority]) -> Arc<Bundle> {
        let mut bundle = Bundle::empty(self.trust_domain.clone());
        bundle.x509_authorities = std::iter::once(self)
            .chain(others.iter().copied())
            .map(|authority| X509Authority::parse_der(authority.certificate.to_vec()).unwrap())
            .collect();
        Arc::new(bundle)
    }

    /// The set that holds only [`bundle`](Self::bundle).
    pub fn bundles(&self) -> BundleSet {
        [self.bundle()].into_iter().collect()
    }

    /// A credential for `id`, valid from a minute before [`start`] for [`SVID_TTL`].
    pub fn credential(&self, id: &str) -> X509Credential {
        self.credential_at(id, start())
    }

    /// A credential for `id`, issued at `now`: valid from a minute before, for [`SVID_TTL`].
    pub fn credential_at(&self, id: &str, now: SystemTime) -> X509Credential {
        self.credential_with_hint(id, now, "")
    }

    /// The same, with a hint.
    pub fn credential_with_hint(&self, id: &str, now: SystemTime, hint: &str) -> X509Credential {
        let (chain, key) = self.leaf(id, now, |_| {});
        X509Credential::new(X509Svid::from_chain(chain).unwrap(), key, hint.to_owned()).unwrap()
    }

    /// The list in DER of these leaves, revoked, which is to be followed by the next one at `next_update`.
    pub fn revocation_list(&self, leaves: &[&CertificateDer<'_>], next_update: SystemTime) -> Vec<u8> {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let revoked = |leaf: &&CertificateDer<'_>| {
            let leaf = ForeignChain::from_chain(vec![(*leaf).clone().into_owned()]).unwrap();
            RevokedCertParams {
                serial_number: hex_bytes(&leaf.serial_number_hex()).into(),
                revocation_time: epoch + since_epoch(start()),
                reason_code: None,
                invalidity_date: None,
            }
        };
        let list = CertificateRevocationListParams {
            this_update: epoch + since_epoch(start() - DAY),
            next_update: epoch + since_epoch(next_update),
            crl_number: 1u64.into(),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// A leaf for `id` that `spoil` may change into one that no authority should sign.
    pub fn leaf(
        &self,
        id: &str,
        now: SystemTime,
        spoil: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKey) {
        let mut params = params(id, now - Duration::from_secs(60), now + SVID_TTL);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.is_ca = IsCa::ExplicitNoCa;
        spoil(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        (vec![leaf.der().clone()], PrivateKey::from_pkcs8_der(key.serialized_der()).unwrap())
    }
}

/// Certificates as PEM, in their order.
pub fn pem(chain: &[CertificateDer<'_>]) -> String {
    let pem = |der: &CertificateDer<'_>| {
        let mut bundle = Bundle::empty(TrustDomain::parse("example.org").unwrap());
        bundle.x509_authorities = vec![X509Authority::parse_der(der.to_vec()).unwrap()];
        bundle.to_pem()
    };
    chain.iter().map(pem).collect()
}

const DAY: Duration = Duration::from_secs(24 * 3600);

fn hex_bytes(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

fn since_epoch(instant: SystemTime) -> Duration {
    instant.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

fn params(id: &str, not_before: SystemTime, not_after: SystemTime) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + since_epoch(not_before);
    params.not_after = epoch + since_epoch(not_after);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Finial tests");
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params
}
