//! Command lines under both names, and what comes of them: the real parsers and the real checks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use super::{Asked, Ghostunnel, read};
use crate::output::causes;
use crate::proxy::Command;
use crate::{Finial, Noun};

#[test]
fn every_flag_is_well_formed() {
    Ghostunnel::command().debug_assert();
}

/// Words stand apart by a space; an empty one is written `''`.
fn words(line: &str) -> Vec<OsString> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(|word| OsString::from(if word == "''" { "" } else { word })).collect()
}

/// `ok`, or how the program called `ghostunnel` ends.
fn ghostunnel(line: &str) -> String {
    match read(words(line)) {
        Ok(Asked::Run(program)) => match program.config() {
            Ok(config) => match (config.check_usage(), config.check()) {
                (Err(error), _) => format!("ghostunnel: error: {}, try --help", causes(&error.into())),
                (Ok(()), Err(error)) => format!("error: {}", causes(&error.into())),
                (Ok(()), Ok(())) => "ok".to_owned(),
            },
            Err(error) => format!("error: {}", causes(&error)),
        },
        Ok(Asked::Help(_)) => "help".to_owned(),
        Ok(Asked::Version) => "version".to_owned(),
        Err(fault) => format!("ghostunnel: error: {}, try --help", causes(&fault.into())),
    }
}

/// `ok`, or how `finial proxy` ends; of a line that cannot be read the first line of what is said.
fn finial(line: &str) -> String {
    let words = ["finial".into(), "proxy".into()].into_iter().chain(words(line));
    let noun = match Finial::try_parse_from(words) {
        Ok(finial) => finial.noun,
        Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let config = match noun {
        Noun::Proxy(Command::Server(run)) => run.config(),
        Noun::Proxy(Command::Client(run)) => run.config(),
        _ => panic!("{line}"),
    };
    match config.and_then(|config| Ok(config.check()?)) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("error: {}", causes(&error)),
    }
}

#[test]
fn lines_come_to_the_same_under_both_names() {
    let server = "server --listen :1 --target localhost:2";
    for (flags, outcome) in [
        ("--keystore k --allow-all", "ok"),
        (
            "--keystore k --allow-all --allow-cn a",
            "error: --allow-all is mutually exclusive with other access control flags",
        ),
    ] {
        let line = format!("{server} {flags}");
        assert_eq!(ghostunnel(&line), outcome, "ghostunnel {line}");
        assert_eq!(finial(&line), outcome, "finial proxy {line}");
    }
}
