//! Tests of which entries are an agent's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::testing::*;

fn server() -> SpiffeId {
    trust_domain().server_id()
}

fn names(entries: &[Arc<Entry>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

#[tokio::test]
async fn entries_below_the_agent_are_its_own_at_any_depth() {
    let snapshot = snapshot(
        vec![
            entry("3-grandchild", draft("/c", &id("/b"), &["unix:uid:3"])),
            entry("2-child", draft("/b", &id("/a"), &["unix:uid:2"])),
            entry("1-own", draft("/a", &agent("a"), &["unix:uid:1"])),
            entry("other", draft("/d", &agent("b"), &["unix:uid:1"])),
            entry("orphan", draft("/e", &id("/nowhere"), &["unix:uid:1"])),
        ],
        vec![],
    )
    .await;
    let found = authorized_entries(&node(&agent("a"), "1"), &snapshot, now());
    assert_eq!(names(&found), ["1-own", "2-child", "3-grandchild"]);
}

#[tokio::test]
async fn alias_and_what_hangs_below_it_belong_to_every_node_with_its_selectors() {
    let snapshot = snapshot(
        vec![
            entry("alias", draft("/cluster", &server(), &["k8s_psat:cluster:x", "k8s_psat:agent_ns:y"])),
            entry("below", draft("/a", &id("/cluster"), &["unix:uid:1"])),
        ],
        vec![],
    )
    .await;
    let mut member = node(&agent("a"), "1");
    member.selectors = selectors(&["k8s_psat:cluster:x", "k8s_psat:agent_ns:y", "k8s_psat:agent_sa:z"]);
    assert_eq!(names(&authorized_entries(&member, &snapshot, now())), ["alias", "below"]);
    member.selectors = selectors(&["k8s_psat:cluster:x"]);
    assert!(authorized_entries(&member, &snapshot, now()).is_empty());
}

#[tokio::test]
async fn alias_by_spiffe_id_belongs_to_that_agent_alone() {
    let selector = format!("spiffe_id:{}", agent("a"));
    let snapshot = snapshot(vec![entry("alias", draft("/a", &server(), &[&selector]))], vec![]).await;
    assert_eq!(names(&authorized_entries(&node(&agent("a"), "1"), &snapshot, now())), ["alias"]);
    assert!(authorized_entries(&node(&agent("b"), "1"), &snapshot, now()).is_empty());
}

#[tokio::test]
async fn entries_in_a_circle_are_walked_once() {
    let snapshot = snapshot(
        vec![
            entry("in", draft("/a", &agent("a"), &["unix:uid:1"])),
            entry("there", draft("/b", &id("/a"), &["unix:uid:1"])),
            entry("back", draft("/a", &id("/b"), &["unix:uid:1"])),
            entry("self", draft("/a", &id("/a"), &["unix:uid:1"])),
            entry("apart-1", draft("/x", &id("/y"), &["unix:uid:1"])),
            entry("apart-2", draft("/y", &id("/x"), &["unix:uid:1"])),
        ],
        vec![],
    )
    .await;
    let node = node(&agent("a"), "1");
    assert_eq!(names(&authorized_entries(&node, &snapshot, now())), ["back", "in", "self", "there"]);
    let apart = snapshot.entries().find(|entry| entry.id.as_str() == "apart-1").unwrap();
    assert!(!is_authorized(&node, apart, &snapshot, now()));
}

#[tokio::test]
async fn expired_entry_is_left_out_with_what_hangs_below_it() {
    let mut ending = draft("/a", &agent("a"), &["unix:uid:1"]);
    ending.expires_at = Some(now());
    let below = draft("/b", &id("/a"), &["unix:uid:1"]);
    let snapshot = snapshot(vec![entry("ending", ending), entry("below", below)], vec![]).await;
    let node = node(&agent("a"), "1");
    let before = now() - Duration::from_secs(1);
    assert_eq!(names(&authorized_entries(&node, &snapshot, before)), ["below", "ending"]);
    assert!(authorized_entries(&node, &snapshot, now()).is_empty());
}

#[tokio::test]
async fn banned_agent_has_no_entries() {
    let snapshot = snapshot(vec![entry("own", draft("/a", &agent("a"), &["unix:uid:1"]))], vec![]).await;
    let banned = node(&agent("a"), "");
    assert!(authorized_entries(&banned, &snapshot, now()).is_empty());
    let own = snapshot.entries().next().unwrap();
    assert!(!is_authorized(&banned, own, &snapshot, now()));
}

/// Random parents, circles included: the walk down, the walk up, and the definition read literally agree.
#[tokio::test]
async fn walks_in_both_directions_find_what_the_definition_says() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let snapshot = snapshot(random_entries(&mut random), vec![]).await;
        let mut node = node(&agent("a"), "1");
        node.selectors = selectors(&["rack:1", "room:1"]);
        let expected = by_definition(&node, &snapshot);
        let down = authorized_entries(&node, &snapshot, now());
        assert_eq!(names(&down), expected.iter().map(String::as_str).collect::<Vec<_>>(), "seed {seed}");
        let up = snapshot.entries().filter(|entry| is_authorized(&node, entry, &snapshot, now()));
        assert_eq!(up.map(|entry| entry.id.to_string()).collect::<BTreeSet<_>>(), expected, "seed {seed}");
    }
}

fn random_entries(random: &mut fastrand::Rng) -> Vec<Entry> {
    let ids: Vec<SpiffeId> = (0..8).map(|n| id(&format!("/w{n}"))).collect();
    let mut parents = ids.clone();
    parents.extend([agent("a"), agent("b"), server()]);
    let entry_of = |n: usize| {
        let unique = format!("n:{n}");
        let mut chosen = vec![["rack:1", "room:1", "room:2", unique.as_str()][random.usize(..4)]];
        if parents.is_empty() || random.bool() {
            chosen.push(["rack:1", "room:1", unique.as_str()][random.usize(..3)]);
        }
        let parent = &parents[random.usize(..parents.len())];
        if *parent != server() {
            chosen.push(&unique);
        }
        let mut draft = draft(ids[random.usize(..ids.len())].path(), parent, &chosen);
        draft.expires_at = (random.usize(..6) == 0).then(now);
        entry(&format!("{n:02}"), draft)
    };
    let mut seen = HashSet::new();
    let entries = (0..24).map(entry_of);
    entries
        .filter(|entry| {
            seen.insert((entry.spiffe_id.clone(), entry.parent_id.clone(), entry.selectors.clone()))
        })
        .collect()
}

/// Adds entries until none can be added.
fn by_definition(node: &Node, snapshot: &Snapshot) -> BTreeSet<String> {
    let mut found: Vec<&Arc<Entry>> = Vec::new();
    loop {
        let next = snapshot.entries().find(|entry| {
            let alias = entry.parent_id == server() && entry.selectors.is_subset_of(&node.selectors);
            let below = found.iter().any(|above| above.spiffe_id == entry.parent_id);
            let belongs = entry.parent_id == node.id || alias || below;
            belongs && !entry.is_expired(now()) && !found.iter().any(|known| known.id == entry.id)
        });
        match next {
            Some(entry) => found.push(entry),
            None => return found.iter().map(|entry| entry.id.to_string()).collect(),
        }
    }
}
