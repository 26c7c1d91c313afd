//! When an agent goes on without its disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use finial_identity::Bundle;
use finial_receive::testing::{Authority, SVID_TTL, start};

use super::{has_little_left, holds};

#[test]
fn an_svid_is_about_to_end_in_the_last_quarter_of_its_life_or_with_its_authority() {
    let (authority, next) = (Authority::new("example.org"), Authority::new("example.org"));
    let svid = authority.credential("spiffe://example.org/spire/agent/join_token/t").svid().clone();
    let mut bundle = Bundle::clone(&authority.bundle_with(&[&next]));
    assert!(!has_little_left(&svid, start()));
    assert!(has_little_left(&svid, start() + SVID_TTL.mul_f64(0.8)));
    assert!(holds(&svid, &bundle, start()));
    let tainted = bundle.x509_authorities.remove(0).tainted(true);
    bundle.x509_authorities.push(tainted);
    assert!(!holds(&svid, &bundle, start()));
}
