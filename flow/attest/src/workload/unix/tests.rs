//! Tests of the unix attestor, on real processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{self, SHA256};
use nix::unistd::{Gid, Group, Uid, User};

use super::*;
use crate::WorkloadAttestors;
use crate::testing::Peer;

fn config(discover_workload_path: bool, workload_size_limit: i64) -> UnixConfig {
    UnixConfig { discover_workload_path, workload_size_limit }
}

async fn attest(peer: &Peer, config: UnixConfig) -> Result<Vec<String>, AttestError> {
    let clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    let selectors = UnixAttestor::new(config, clock).attest(&peer.pin()).await?;
    Ok(selectors.iter().map(ToString::to_string).collect())
}

fn peer_running(program: &str) -> Peer {
    let mut peer = Peer::connect();
    peer.exec(Path::new(program));
    peer
}

#[tokio::test]
async fn user_and_groups_are_told_by_id_and_by_name() {
    let found = attest(&Peer::connect(), config(false, 0)).await.unwrap();
    let (uid, gid) = (Uid::effective(), Gid::effective());
    let mut expected = vec![format!("unix:uid:{uid}")];
    expected.extend(User::from_uid(uid).unwrap().map(|user| format!("unix:user:{}", user.name)));
    expected.push(format!("unix:gid:{gid}"));
    expected.extend(Group::from_gid(gid).unwrap().map(|group| format!("unix:group:{}", group.name)));
    for gid in rustix::process::getgroups().unwrap() {
        let gid = Gid::from_raw(gid.as_raw());
        expected.push(format!("unix:supplementary_gid:{gid}"));
        let name = Group::from_gid(gid).unwrap().map(|group| group.name);
        expected.extend(name.map(|name| format!("unix:supplementary_group:{name}")));
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn path_and_digest_are_told_on_request() {
    let found = attest(&peer_running("/bin/cat"), config(true, 0)).await.unwrap();
    let path = Path::new("/bin/cat").canonicalize().unwrap();
    let digest = hex::encode(digest::digest(&SHA256, &std::fs::read(&path).unwrap()));
    let expected = [format!("unix:path:{}", path.display()), format!("unix:sha256:{digest}")];
    assert_eq!(found[found.len() - 2..], expected);
}

#[tokio::test]
async fn negative_size_limit_means_no_digest() {
    let found = attest(&peer_running("/bin/cat"), config(true, -1)).await.unwrap();
    assert!(found.iter().any(|selector| selector.starts_with("unix:path:")));
    assert!(!found.iter().any(|selector| selector.starts_with("unix:sha256:")));
}

#[tokio::test]
async fn program_over_the_size_limit_is_refused_by_both_sizes() {
    let peer = peer_running("/bin/cat");
    let size = std::fs::metadata("/bin/cat").unwrap().len();
    let limit = i64::try_from(size).unwrap();
    assert!(attest(&peer, config(true, limit)).await.is_ok());
    let refused = attest(&peer, config(true, limit - 1)).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("has {size} bytes")), "{refused}");
    assert!(refused.contains(&format!("`workload_size_limit` allows ({})", size - 1)), "{refused}");
}

#[tokio::test]
async fn exec_gives_other_selectors_to_the_same_process() {
    let mut peer = Peer::connect();
    let process = peer.pin();
    let clock = Clock::manual(SystemTime::UNIX_EPOCH).0;
    let unix: Arc<dyn WorkloadAttestor> = Arc::new(UnixAttestor::new(config(true, -1), clock.clone()));
    let attestors = WorkloadAttestors::new([unix], Duration::from_secs(5), clock);
    let of = |program: &Path| {
        Selector::new("unix", format!("path:{}", program.canonicalize().unwrap().display())).unwrap()
    };

    let before = attestors.attest(&process).await.unwrap();
    assert!(before.selectors().contains(&of(Path::new("/proc/self/exe"))));
    peer.exec(Path::new("/bin/cat"));
    let after = attestors.attest(&process).await.unwrap();
    assert!(after.selectors().contains(&of(Path::new("/bin/cat"))));
    assert!(!after.selectors().contains(&of(Path::new("/proc/self/exe"))));
}

#[tokio::test]
async fn id_that_nobody_has_gives_no_name() {
    let names = Names::new(Clock::manual(SystemTime::UNIX_EPOCH).0);
    assert_eq!(names.user(0).await.unwrap().as_deref(), Some("root"));
    assert_eq!(names.user(u32::MAX - 7).await.unwrap(), None);
    assert_eq!(names.group(u32::MAX - 7).await.unwrap(), None);
}

#[tokio::test]
async fn digest_is_remembered_once_the_file_has_settled() {
    let peer = peer_running("/bin/cat");
    let changed = std::os::unix::fs::MetadataExt::ctime(&std::fs::metadata("/bin/cat").unwrap());
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(changed).unwrap());
    let (clock, hand) = Clock::manual(changed);
    let digests = Digests::new(clock);
    let digest = digests.sha256(peer.pin().executable().unwrap(), u64::MAX).await.unwrap();
    assert_eq!(digests.remembered(), 0, "it may change within the same tick of its times");
    hand.step(Duration::from_secs(3));
    for _ in 0..2 {
        assert_eq!(digests.sha256(peer.pin().executable().unwrap(), u64::MAX).await.unwrap(), digest);
        assert_eq!(digests.remembered(), 1);
    }
}

#[tokio::test]
async fn size_limit_holds_for_a_remembered_digest_too() {
    let peer = peer_running("/bin/cat");
    let digests = Digests::new(Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)).0);
    digests.sha256(peer.pin().executable().unwrap(), u64::MAX).await.unwrap();
    assert_eq!(digests.remembered(), 1);
    assert!(digests.sha256(peer.pin().executable().unwrap(), 1).await.is_err());
}
