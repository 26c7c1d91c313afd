//! PKCS#12, as ghostunnel's users and Java's bring it.

use finial_identity::Keystore;

/// What opens can be sealed anew, and opens as the same.
pub(crate) fn keystore(data: &[u8]) {
    let Ok(keystore) = Keystore::open(data, "changeit") else { return };
    let sealed = keystore.seal("other").unwrap();
    assert!(Keystore::open(&sealed, "changeit").is_err());
    let again = Keystore::open(&sealed, "other").unwrap();
    assert_eq!(again.chain, keystore.chain);
    assert_eq!(again.key.public_key(), keystore.key.public_key());
}
