//! Configuration files, in HCL and in its JSON form, and the programs that read them.

use finial_daemon::hcl::{self, HclError};
use finial_helper::Overrides;

const FILE: &str = "fuzz.conf";

/// What is wrong is named at a place that exists, whoever reads.
pub(crate) fn hcl(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parsed = hcl::parse(text, FILE).map(|_| ());
    let is_hcl = parsed.is_ok();
    let readers = [
        parsed,
        finial_server::Config::from_hcl(text, FILE).map(|_| ()),
        finial_agent::Config::from_hcl(text, FILE).map(|_| ()),
        finial_helper::Config::from_hcl(text, FILE, &Overrides::default()).map(|_| ()),
    ];
    for outcome in readers {
        match outcome {
            Ok(()) => assert!(is_hcl),
            Err(error) => check(&error, text),
        }
    }
}

fn check(error: &HclError, text: &str) {
    let message = error.to_string();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut parts = message.splitn(4, ':');
    assert_eq!(parts.next(), Some(FILE), "{message}");
    let mut number = || parts.next().and_then(|part| part.trim().parse::<usize>().ok());
    // Without a place: the file as a whole is meant.
    let (Some(line), Some(column)) = (number(), number()) else { return };
    assert!((1..=lines.len()).contains(&line), "{message}");
    assert!((1..=lines[line - 1].chars().count() + 1).contains(&column), "{message}");
}
