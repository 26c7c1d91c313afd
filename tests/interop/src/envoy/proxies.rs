//! Two Envoys between a caller and a service that know nothing of identities.

use std::process::Command;

use finial_testkit::{Dev, run, until};

use super::service::{
    CUSTOMER, HTTPBACKEND, Load, Service, TRUST_DOMAIN, delta, fails, inbound, outbound, succeeds,
};
use super::{get, program, serves};
use crate::peers;
use crate::proxy::Backend;

#[test]
fn envoys_of_the_tutorial_know_each_other() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&inbound());
    let outbound = service.outbound(&outbound(), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
    inbound.assert_content();
    outbound.assert_content();
}

#[test]
fn envoys_know_each_other_by_delta() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&delta(&inbound()));
    let outbound = service.outbound(&delta(&outbound()), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
    inbound.assert_content();
    outbound.assert_content();
}

#[test]
fn envoy_refuses_a_service_of_another_id() {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(&inbound());
    let exact = format!("exact: \"{HTTPBACKEND}\"");
    let wants_another = outbound().replace(&exact, &format!("exact: \"{CUSTOMER}\""));
    assert!(fails(&service.outbound(&wants_another, &inbound)));
    assert!(succeeds(&service.outbound(&outbound(), &inbound)));
}

#[test]
fn envoy_refuses_a_caller_of_another_id_and_one_without() {
    let (Some(service), Some(curl)) = (Service::found(), peers::program("curl")) else { return };
    let inbound = service.inbound(&inbound());
    let name = format!("name: \"{CUSTOMER}\"");
    let is_another = outbound().replace(&name, &format!("name: \"{HTTPBACKEND}\""));
    assert!(fails(&service.outbound(&is_another, &inbound)));
    let url = format!("https://127.0.0.1:{}/", inbound.port);
    let answer = run(Command::new(curl).args(["--silent", "--insecure", "--max-time", "5", &url]));
    assert!(!answer.status.success(), "{}", answer.stdout);
}

#[test]
fn rotation_of_every_certificate_fails_no_request() {
    rotation_fails_no_request(&inbound(), &outbound());
}

#[test]
fn rotation_of_every_certificate_by_delta_fails_no_request() {
    rotation_fails_no_request(&delta(&inbound()), &delta(&outbound()));
}

fn rotation_fails_no_request(inbound: &str, outbound: &str) {
    let Some(service) = Service::found() else { return };
    let inbound = service.inbound(inbound);
    let outbound = service.outbound(outbound, &inbound);
    let envoys = [&inbound, &outbound];
    let counts = || envoys.map(|envoy| envoy.count("update_success"));
    let load = Load::on(outbound.port);
    let mut before = counts();
    service.dev.rotate_ca_slowly(|step| {
        // Each of the two has what the step brought: the bundle, or its certificate.
        until(step, || counts().iter().zip(before).all(|(now, before)| *now > before).then_some(()));
        load.more();
        before = counts();
    });
    until("bundle without the old authority", || {
        counts().iter().zip(before).all(|(now, before)| *now > before).then_some(())
    });
    load.more();
    let (succeeded, failed) = load.stop();
    assert_eq!(failed, 0, "of {succeeded} requests\n{}\n{}", outbound.process.log(), service.dev.log());
    envoys.iter().for_each(|envoy| envoy.assert_content());
}

#[test]
fn certificate_of_a_removed_authority_is_accepted_no_more() {
    let (Some(_), Some(curl)) = (program(), peers::program("curl")) else { return };
    let dev = Dev::serving(TRUST_DOMAIN);
    dev.identity(CUSTOMER);
    let service = Service { dev, backend: Backend::start() };
    let inbound = service.inbound(&inbound().replace(HTTPBACKEND, CUSTOMER));
    let svid = service.dev.write_svid();
    assert!(serves(&curl, &svid, &inbound), "{}", inbound.process.log());
    let before = inbound.count("update_success");
    service.dev.rotate_ca();
    // The next authority came, the certificate of it, and the old authority went.
    until("bundle without the old authority", || {
        (inbound.count("update_success") >= before + 3).then_some(())
    });
    assert!(!serves(&curl, &svid, &inbound), "{}", inbound.process.log());
    let svid = service.dev.write_svid();
    assert!(serves(&curl, &svid, &inbound), "{}", inbound.process.log());
}

#[test]
fn envoy_that_starts_before_its_entry_needs_no_restart() {
    if program().is_none() {
        return;
    }
    let dev = Dev::serving(TRUST_DOMAIN);
    let service = Service { dev, backend: Backend::start() };
    let inbound = service.envoy(&inbound(), service.backend.port());
    until("attempt", || get(inbound.admin, "/stats").filter(|stats| stats.contains("update_attempt: 1")));
    service.dev.identity(HTTPBACKEND);
    service.dev.identity(CUSTOMER);
    let inbound = inbound.live();
    let outbound = service.outbound(&outbound(), &inbound);
    assert!(succeeds(&outbound), "{}", outbound.process.log());
}
