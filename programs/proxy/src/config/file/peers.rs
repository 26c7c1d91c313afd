//! What ends the trust in a peer.

use super::keys::Keys;
use crate::PeerFlags;

/// `crl` and `close_on_expiry`.
pub(super) fn read(keys: &mut Keys) -> PeerFlags {
    PeerFlags {
        revocation_lists: keys.texts("crl").into_iter().map(Into::into).collect(),
        close_on_expiry: keys.take("close_on_expiry").unwrap_or_default(),
    }
}
