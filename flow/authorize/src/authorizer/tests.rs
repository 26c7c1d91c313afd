//! Tests of who may call what: every cell of the table, and every way not to be who the table means.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod expected;

use std::collections::BTreeSet;
use std::time::Duration;

use prost::Message;

use super::*;
use crate::METHODS;
use crate::testing::*;

const RENEW: &str = "/spire.api.server.agent.v1.Agent/RenewAgent";
const LIST: &str = "/spire.api.server.entry.v1.Entry/ListEntries";
const DOWNSTREAM: &str = "/spire.api.server.svid.v1.SVID/NewDownstreamX509CA";

fn authorizer() -> Authorizer {
    let operator = SpiffeId::parse("spiffe://operators.org/alice").unwrap();
    Authorizer::new(trust_domain(), [id("/configured-admin"), operator])
}

/// Two attested agents, an administrator and a downstream server by entry, and a workload that is neither.
async fn world() -> Arc<Snapshot> {
    let parent = agent("a");
    let mut admin = draft("/admin", &parent, &["unix:uid:1"]);
    admin.admin = true;
    let mut downstream = draft("/downstream", &parent, &["unix:uid:2"]);
    downstream.downstream = true;
    let workload = draft("/workload", &parent, &["unix:uid:3"]);
    let entries = vec![entry("admin", admin), entry("downstream", downstream), entry("workload", workload)];
    snapshot(entries, vec![node(&agent("a"), "7"), node(&agent("b"), "8")]).await
}

fn reason(caller: &Caller, snapshot: &Snapshot, at: SystemTime) -> Option<AgentDenial> {
    let denial = authorizer().authorize(caller, RENEW, snapshot, at).unwrap_err();
    assert_eq!(denial.to_string(), format!("authorization denied for method {RENEW}"));
    denial.agent_reason()
}

#[tokio::test]
async fn rule_9_every_method_is_open_to_exactly_the_callers_that_are_listed() {
    let snapshot = world().await;
    let columns = ["anybody", "local", "admin", "agent", "downstream"];
    let callers = [
        ("anybody", Caller::anonymous()),
        ("anybody", caller(&id("/workload"), 9)),
        ("anybody", caller(&agent("never-attested"), 9)),
        ("anybody", caller(&SpiffeId::parse("spiffe://other.org/spire/agent/join_token/a").unwrap(), 7)),
        ("local", local()),
        ("admin", caller(&id("/configured-admin"), 9)),
        ("admin", caller(&id("/admin"), 9)),
        ("agent", caller(&agent("a"), 7)),
        ("downstream", caller(&id("/downstream"), 9)),
    ];
    let mut rows = expected::EXPECTED.lines();
    let heading: Vec<_> = rows.next().unwrap().split_whitespace().collect();
    assert_eq!(heading[1..], columns);
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        for (column, caller) in &callers {
            let cell = cells[1 + columns.iter().position(|name| name == column).unwrap()];
            let answer = authorizer().authorize(caller, cells[0], &snapshot, now());
            assert_eq!(answer.is_ok(), cell == "yes", "{} by {column} {:?}", cells[0], caller.spiffe_id());
        }
    }
}

#[test]
fn expectations_and_table_have_the_same_methods() {
    let expected = expected::EXPECTED.lines().skip(1);
    let allowed = expected.filter(|row| row.contains("yes")).filter_map(|row| row.split_whitespace().next());
    let in_table: BTreeSet<_> = METHODS.iter().map(|row| row.name).collect();
    assert_eq!(in_table.len(), METHODS.len(), "a method has two rows");
    assert_eq!(allowed.collect::<BTreeSet<_>>(), in_table);
}

#[test]
fn every_served_method_has_a_row() {
    let served = prost_types::FileDescriptorSet::decode(finial_wire::SERVER_DESCRIPTORS).unwrap();
    let mut methods = 0;
    for file in &served.file {
        for service in &file.service {
            for method in &service.method {
                let name = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                assert!(METHODS.iter().any(|row| row.name == name), "{name}");
                methods += 1;
            }
        }
    }
    assert!(methods > 40, "{methods}");
}

#[tokio::test]
async fn method_without_a_row_is_denied_to_everybody() {
    let snapshot = world().await;
    for method in
        ["", "/", "ListEntries", "/spire.api.server.entry.v1.Entry/", &LIST.to_lowercase(), &LIST[1..]]
    {
        for caller in [local(), caller(&id("/configured-admin"), 1), caller(&agent("a"), 7)] {
            let denial = authorizer().authorize(&caller, method, &snapshot, now()).unwrap_err();
            assert_eq!(denial, Denial::Method { method: method.to_owned() });
        }
    }
}

#[tokio::test]
async fn permit_says_on_which_ground_it_was_given() {
    let snapshot = world().await;
    let who =
        |caller: &Caller, method| authorizer().authorize(caller, method, &snapshot, now()).unwrap().who();
    let federated = "/spire.api.server.bundle.v1.Bundle/GetFederatedBundle";
    assert_eq!(who(&local(), federated), Who::Local);
    assert_eq!(who(&caller(&id("/admin"), 1), federated), Who::Admin);
    assert_eq!(who(&caller(&agent("a"), 7), federated), Who::Agent);
    assert_eq!(who(&caller(&id("/downstream"), 1), DOWNSTREAM), Who::Downstream);
    assert_eq!(who(&Caller::anonymous(), "/spire.api.server.bundle.v1.Bundle/GetBundle"), Who::Anybody);
}

#[tokio::test]
async fn permit_of_an_agent_holds_its_node() {
    let snapshot = world().await;
    let permit = authorizer().authorize(&caller(&agent("a"), 7), RENEW, &snapshot, now()).unwrap();
    assert_eq!(permit.node().unwrap().id, agent("a"));
    assert_eq!(permit.caller_id(), Some(&agent("a")));
    assert!(!permit.presents_new_serial());
    let permit = authorizer().authorize(&local(), LIST, &snapshot, now()).unwrap();
    assert!(permit.node().is_none() && permit.caller_id().is_none());
}

#[tokio::test]
async fn rule_9_renewed_serial_is_accepted_and_left_to_be_recorded() {
    let mut renewed = node(&agent("a"), "7");
    renewed.new_serial_number = Some("8".to_owned());
    let snapshot = snapshot(vec![], vec![renewed.clone()]).await;
    let old = authorizer().authorize(&caller(&agent("a"), 7), RENEW, &snapshot, now()).unwrap();
    assert!(!old.presents_new_serial());
    let new = authorizer().authorize(&caller(&agent("a"), 8), RENEW, &snapshot, now()).unwrap();
    assert!(new.presents_new_serial());
    assert_eq!(**new.node().unwrap(), renewed, "authorization records nothing");
}

#[tokio::test]
async fn agent_is_told_what_is_wrong_with_it() {
    let banned = node(&agent("banned"), "");
    let snapshot = snapshot(vec![], vec![node(&agent("a"), "7"), banned]).await;
    assert_eq!(reason(&caller(&agent("a"), 7), &snapshot, much_later()), Some(AgentDenial::Expired));
    assert_eq!(reason(&caller(&agent("b"), 7), &snapshot, now()), Some(AgentDenial::NotAttested));
    assert_eq!(reason(&caller(&agent("a"), 6), &snapshot, now()), Some(AgentDenial::NotActive));
    assert_eq!(reason(&caller(&agent("banned"), 7), &snapshot, now()), Some(AgentDenial::Banned));
}

#[tokio::test]
async fn whoever_is_no_agent_is_told_nothing_about_agents() {
    let snapshot = world().await;
    let stranger = SpiffeId::parse("spiffe://other.org/spire/agent/join_token/a").unwrap();
    for caller in [local(), Caller::anonymous(), caller(&id("/workload"), 7), caller(&stranger, 7)] {
        assert_eq!(reason(&caller, &snapshot, now()), None, "{:?}", caller.spiffe_id());
    }
}

#[tokio::test]
async fn only_what_another_server_may_know_better_is_confirmed() {
    let denial = |reason| Denial::Agent { method: RENEW.to_owned(), reason };
    assert!(denial(AgentDenial::NotAttested).needs_confirmation());
    assert!(denial(AgentDenial::NotActive).needs_confirmation());
    assert!(!denial(AgentDenial::Expired).needs_confirmation());
    assert!(!denial(AgentDenial::Banned).needs_confirmation());
    assert!(!Denial::Method { method: RENEW.to_owned() }.needs_confirmation());
}

#[tokio::test]
async fn node_read_at_the_primary_decides_anew() {
    let snapshot = world().await;
    let decide = |caller: &Caller, node: Node| {
        authorizer().authorize_with_node(caller, RENEW, &snapshot, &Arc::new(node), now())
    };
    let fresh = caller(&agent("fresh"), 5);
    assert!(authorizer().authorize(&fresh, RENEW, &snapshot, now()).unwrap_err().needs_confirmation());
    assert!(decide(&fresh, node(&agent("fresh"), "5")).is_ok());
    let banned = decide(&fresh, node(&agent("fresh"), "")).unwrap_err();
    assert_eq!(banned.agent_reason(), Some(AgentDenial::Banned));
    let of_another = decide(&fresh, node(&agent("other"), "5")).unwrap_err();
    assert_eq!(of_another.agent_reason(), Some(AgentDenial::NotAttested));
}

#[tokio::test]
async fn expired_entry_makes_nobody_an_administrator() {
    let mut admin = draft("/admin", &agent("a"), &["unix:uid:1"]);
    (admin.admin, admin.downstream) = (true, true);
    admin.expires_at = Some(now());
    let snapshot = snapshot(vec![entry("admin", admin)], vec![]).await;
    let caller = caller(&id("/admin"), 1);
    let allowed = |method, at| authorizer().authorize(&caller, method, &snapshot, at).is_ok();
    let before = now() - Duration::from_secs(1);
    assert!(allowed(LIST, before) && allowed(DOWNSTREAM, before));
    assert!(!allowed(LIST, now()) && !allowed(DOWNSTREAM, now()));
}

#[tokio::test]
async fn expired_svid_is_no_administrators() {
    let snapshot = world().await;
    for admin in ["/configured-admin", "/admin"] {
        let caller = caller(&id(admin), 1);
        assert!(authorizer().authorize(&caller, LIST, &snapshot, now()).is_ok());
        assert!(authorizer().authorize(&caller, LIST, &snapshot, much_later()).is_err());
    }
}

#[tokio::test]
async fn administrator_of_another_trust_domain_is_one_only_if_configured() {
    let snapshot = world().await;
    let alice = caller(&SpiffeId::parse("spiffe://operators.org/alice").unwrap(), 1);
    let impostor = caller(&SpiffeId::parse("spiffe://operators.org/admin").unwrap(), 1);
    assert_eq!(authorizer().authorize(&alice, LIST, &snapshot, now()).unwrap().who(), Who::Admin);
    assert!(authorizer().authorize(&impostor, LIST, &snapshot, now()).is_err());
}
