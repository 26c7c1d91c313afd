//! What programs keep on disk: each file may be torn, or somebody else's.

use std::cell::LazyCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use finial_identity::Bundle;
use finial_keys::{DiskKeys, KeyManager};
use tempfile::TempDir;

use crate::authority::trust_domain;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        folder.unwrap()
    });
}

/// The server's and the agent's keys: those that are read sign, and nothing is written by reading.
pub(crate) fn keys_file(data: &[u8]) {
    let path = FOLDER.with(|folder| folder.path().join("keys.json"));
    fs::write(&path, data).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let keys = DiskKeys::open(&path).map(|keys| crate::grpc::wait(keys.keys()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), data);
    for key in keys.into_iter().flatten() {
        assert_eq!(key.local().expect("a key of a file is here").public_key(), key.public_key());
    }
}

/// The agent's SVID and bundle: what is read can be written, and reads the same.
pub(crate) fn agent_data(data: &[u8]) {
    let Some(written) = finial_agent::rewritten_agent_data(data, &trust_domain()) else { return };
    let again = finial_agent::rewritten_agent_data(&written, &trust_domain());
    assert_eq!(again.as_ref(), Some(&written));
    let _ = Bundle::parse_pem(trust_domain(), &written);
}

/// The journal of the authorities, with a checksum that fits and without.
pub(crate) fn journal(data: &[u8]) {
    use aws_lc_rs::digest::{SHA256, digest};
    let checked = format!("finial-journal 1 {}\n", hex::encode(digest(&SHA256, data)));
    for bytes in [data, &[checked.as_bytes(), data].concat()] {
        let Some(written) = finial_issue::rewritten_journal(bytes) else { continue };
        assert_eq!(finial_issue::rewritten_journal(&written).as_ref(), Some(&written));
    }
}
