//! `finial proxy run` under Landlock: a reload reaches new ports and the folders of before, and says what it cannot.

use std::fs;

use finial_testkit::{free_port, skip};
use rustix::process::Signal;

use super::backend::Backend;
use super::echo;
use super::file::{House, signal, through};

#[test]
fn reload_that_needs_another_folder_is_refused_by_name_and_all_goes_on() {
    let house = House::new();
    let _backend = Backend::echoing(&house.site);
    let (first, second) = (free_port(), free_port());
    house.write(&[first]);
    let mut proxy = house.run(&[]);
    let open = through(first);
    if proxy.log().contains("warning: unable to set up landlock") {
        return skip("landlock", false, "this kernel has none");
    }
    assert!(proxy.log().contains("setting up landlock rules to limit process privileges"));

    let elsewhere = House::new();
    let pair = elsewhere.site.path("pair.pem");
    house.write_with(&pair, &[first, second]);
    signal(&proxy, Signal::HUP);
    proxy.wait_for_log("so that nothing changes");
    let folder = pair.parent().unwrap().canonicalize().unwrap().display().to_string();
    assert!(proxy.log().contains(&format!("{folder} is out of reach")), "{}", proxy.log());
    assert!(proxy.log().contains("needs a restart"), "{}", proxy.log());
    echo(&open).unwrap();

    // A new file in the folder of before, and a port that nobody had named.
    let copy = house.site.path("copy.pem");
    fs::copy(house.site.path("pair.pem"), &copy).unwrap();
    house.write_with(&copy, &[first, second]);
    signal(&proxy, Signal::HUP);
    echo(&through(second)).unwrap();
    echo(&open).unwrap();
}

#[test]
fn unconfined_reload_reaches_any_folder() {
    let house = House::new();
    let _backend = Backend::echoing(&house.site);
    let (first, second) = (free_port(), free_port());
    house.write(&[first]);
    let proxy = house.run(&["--disable-landlock"]);
    drop(through(first));
    assert!(!proxy.log().contains("landlock"), "{}", proxy.log());
    let elsewhere = tempfile::tempdir().unwrap();
    let pair = elsewhere.path().join("pair.pem");
    fs::copy(house.site.path("pair.pem"), &pair).unwrap();
    house.write_with(&pair, &[second]);
    signal(&proxy, Signal::HUP);
    drop(through(second));
}
