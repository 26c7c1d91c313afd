//! Who may be at the other end of a listener.

use super::keys::Keys;
use crate::AccessFlags;

/// `allow_…` of a server.
pub(super) fn allow(keys: &mut Keys) -> AccessFlags {
    AccessFlags {
        all: keys.take("allow_all").unwrap_or_default(),
        common_names: keys.texts("allow_cn"),
        organizational_units: keys.texts("allow_ou"),
        dns_names: keys.texts("allow_dns"),
        ip_names: keys.parsed("allow_ip"),
        uris: keys.texts("allow_uri"),
        pins: keys.texts("allow_spki_pin"),
    }
}

/// `verify_…` of a client.
pub(super) fn verify(keys: &mut Keys) -> AccessFlags {
    AccessFlags {
        all: false,
        common_names: keys.texts("verify_cn"),
        organizational_units: keys.texts("verify_ou"),
        dns_names: keys.texts("verify_dns"),
        ip_names: keys.parsed("verify_ip"),
        uris: keys.texts("verify_uri"),
        pins: keys.texts("verify_spki_pin"),
    }
}
