//! An Envoy that refuses all it is sent, beside two that are content: it costs the agent a line, and nobody an answer.

use std::time::Duration;

use finial_testkit::{processor_time, until};

use super::Envoy;
use super::service::{HTTPBACKEND, Load, Service, TRUST_DOMAIN, delta, inbound, outbound};

/// What the agent says of it.
const COMPLAINT: &str = "an Envoy refuses its secrets";
/// How many looks, 50 ms apart, are long enough for a loop to show.
const LOOKS: u32 = 60;
/// The most that the agent may need meanwhile; a loop would need as much as there is.
const LITTLE: Duration = Duration::from_millis(300);

#[test]
fn an_envoy_that_refuses_everything_is_told_each_version_once() {
    refuses_everything(&|configuration| configuration.to_owned());
}

#[test]
fn an_envoy_that_refuses_everything_by_delta_is_told_each_version_once() {
    refuses_everything(&delta);
}

fn refuses_everything(dialect: &dyn Fn(&str) -> String) {
    let Some(service) = Service::found() else { return };
    let content = service.inbound(&dialect(&inbound()));
    let caller = service.outbound(&dialect(&outbound()), &content);
    let load = Load::on(caller.port);
    let refuser = Refuser { envoy: service.inbound(&dialect(&misled())), service: &service };
    refuser.has_refused(2);

    // It is left alone with what it refused, while the others are served.
    let (asked, spent) = (refuser.envoy.count("update_attempt"), processor_time(service.dev.process_id()));
    let mut looks = 0..LOOKS;
    until("long enough a time", || looks.next().is_none().then_some(()));
    load.more();
    let spent = processor_time(service.dev.process_id()) - spent;
    refuser.has_refused(2);
    assert_eq!(refuser.envoy.count("update_attempt"), asked, "{}", refuser.envoy.process.log());
    assert!(spent < LITTLE, "the agent needed {spent:?} for an Envoy that refuses");

    // Each change is a new version, and offered once: the bundle, then the certificate, then the bundle again.
    let mut refused = 2;
    service.dev.rotate_ca_slowly(|_| {
        refused += 1;
        refuser.has_refused(refused);
        load.more();
    });
    refuser.has_refused(refused + 1);
    load.more();
    let (succeeded, failed) = load.stop();
    assert_eq!(failed, 0, "of {succeeded} requests\n{}\n{}", caller.process.log(), service.dev.log());
    [&content, &caller].iter().for_each(|envoy| envoy.assert_content());
    refuser.has_refused(refused + 1);
    assert_eq!(refuser.envoy.count("update_success"), 0);
}

/// It takes the bundle for its certificate, and its certificate for the bundle.
fn misled() -> String {
    let (certificate, bundle) =
        (format!("name: \"{HTTPBACKEND}\""), format!("name: \"spiffe://{TRUST_DOMAIN}\""));
    inbound().replace(&bundle, "name: default").replace(&certificate, &bundle)
}

struct Refuser<'a> {
    envoy: Envoy,
    service: &'a Service,
}

impl Refuser<'_> {
    /// It has refused as many versions, and the agent has said so of each, and of no other.
    fn has_refused(&self, versions: u64) {
        until("refusal", || (self.envoy.count("update_rejected") >= versions).then_some(()));
        let complaints = || self.service.dev.log().matches(COMPLAINT).count();
        until("word of it", || (complaints() >= versions as usize).then_some(()));
        let counted = (self.envoy.count("update_rejected"), complaints());
        assert_eq!(counted, (versions, versions as usize), "{}", self.service.dev.log());
    }
}
