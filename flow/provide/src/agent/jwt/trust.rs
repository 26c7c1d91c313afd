//! Whether a token that was trusted under one bundle is so under the next.

use std::sync::Arc;
use std::time::SystemTime;

use finial_identity::{Bundle, BundleSet, JwtAuthority, JwtSvid};

/// Whether a token that an authority of `old` signed is signed by one of `new` that is not tainted.
pub(super) fn lasts(svid: &JwtSvid, old: &Arc<Bundle>, new: &Arc<Bundle>, now: SystemTime) -> bool {
    Arc::ptr_eq(old, new) || !withdraws(old, new) || is_signed_by(svid, new, now)
}

/// Whether an authority of `old` is gone from `new`, or tainted in it.
fn withdraws(old: &Bundle, new: &Bundle) -> bool {
    let is_kept =
        |authority: &JwtAuthority| standing(new).any(|kept| kept.public_key == authority.public_key);
    !standing(old).all(is_kept)
}

fn standing(bundle: &Bundle) -> impl Iterator<Item = &JwtAuthority> {
    bundle.jwt_authorities.iter().filter(|authority| !authority.tainted)
}

fn is_signed_by(svid: &JwtSvid, bundle: &Bundle, now: SystemTime) -> bool {
    let mut untainted = Bundle::empty(bundle.trust_domain.clone());
    untainted.jwt_authorities = standing(bundle).cloned().collect();
    let bundles = BundleSet::from_iter([Arc::new(untainted)]);
    let audience = svid.audience().first().map_or("", String::as_str);
    JwtSvid::verify(svid.token(), audience, &bundles, now).is_ok()
}
