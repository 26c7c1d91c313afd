//! The part of the page about configuration keys: it is made of the tables by which the programs read their files.

use std::fmt::Write as _;

use finial_daemon::hcl::{Key, KeyState};

use super::{PAGE, read};

/// The remedy that goes without saying.
const REMOVE: &str = "remove it";

/// The states in the order of their rows.
const STATES: [&str; 6] = ["works", "differs", "no effect", "not yet", "never", "ours"];

#[test]
fn each_key_is_on_the_page_with_what_becomes_of_it() {
    check("server", &finial_server::keys().collect::<Vec<_>>());
    check("agent", &finial_agent::keys().collect::<Vec<_>>());
}

/// Compares what stands between the marks of a program with what belongs there. With `FINIAL_TRANSCRIBE=1` it is put there.
fn check(program: &str, keys: &[&Key]) {
    let page = read(PAGE);
    let mark = format!("<!-- keys of the {program}: made by a test -->\n");
    let (before, rest) = page.split_once(&mark).expect("the mark of the program");
    let (stands, after) = rest.split_once("<!-- -->\n").expect("the mark of the end");
    let made = table(keys);
    if std::env::var_os("FINIAL_TRANSCRIBE").is_some() {
        return super::write(PAGE, &format!("{before}{mark}{made}<!-- -->\n{after}"));
    }
    for (stands, made) in stands.lines().zip(made.lines()) {
        assert_eq!(stands, made, "{PAGE} lies of the {program}: FINIAL_TRANSCRIBE=1 corrects it");
    }
    assert_eq!(stands, made, "{PAGE} has other rows for the {program}: FINIAL_TRANSCRIBE=1 corrects them");
}

/// A row for each block and state. What is in a block that is refused is refused with it, and not told one by one.
fn table(keys: &[&Key]) -> String {
    let refused: Vec<&str> =
        keys.iter().filter(|key| ["not yet", "never"].contains(&told(key).0)).map(|key| key.path).collect();
    let is_below =
        |key: &Key, path: &str| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let keys: Vec<&Key> =
        keys.iter().copied().filter(|key| !refused.iter().any(|path| is_below(key, path))).collect();
    let mut blocks: Vec<&str> = Vec::new();
    for key in &keys {
        if !blocks.contains(&key.block()) {
            blocks.push(key.block());
        }
    }
    let mut out = String::from("| block | state | keys |\n|---|---|---|\n");
    for block in blocks {
        let mut title = format!(" {}", title(block));
        for state in STATES {
            let names: Vec<_> =
                keys.iter().filter(|key| key.block() == block && told(key).0 == state).collect();
            if !names.is_empty() {
                let _ = writeln!(out, "|{title} | {state} | {} |", list(&names));
                title.clear();
            }
        }
    }
    out
}

/// `server.ca_subject`, `KeyManager "disk"`.
fn title(block: &str) -> String {
    match *block.split('.').collect::<Vec<_>>() {
        [""] => "top level".to_owned(),
        ["plugins", "*", "*"] => "each plugin".to_owned(),
        ["plugins", kind, name, ref rest @ ..] => {
            let rest = rest.iter().fold(String::new(), |text, name| text + " " + name);
            format!("`{kind} \"{name}\"{rest}`")
        }
        _ => format!("`{block}`"),
    }
}

/// The state of a key, and what is to be said of it.
fn told(key: &Key) -> (&'static str, &'static str) {
    match key.state {
        KeyState::Works => ("works", ""),
        KeyState::Differs(reason) => ("differs", reason),
        KeyState::NoEffect(reason) => ("no effect", reason),
        KeyState::NotYet(remedy) => ("not yet", if remedy == REMOVE { "" } else { remedy }),
        KeyState::Never(remedy) => ("never", remedy),
        KeyState::Ours(reason) => ("ours", reason),
    }
}

/// Keys with the same to be said of them stand together.
fn list(keys: &[&&Key]) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for key in keys {
        let (name, reason) = (format!("`{}`", key.name()), told(key).1);
        match groups.iter_mut().find(|(of, _)| *of == reason) {
            Some((_, names)) => names.push(name),
            None => groups.push((reason, vec![name])),
        }
    }
    let group = |(reason, names): &(&str, Vec<String>)| {
        let names = names.join(", ");
        if reason.is_empty() { names } else { format!("{names}: {reason}") }
    };
    groups.iter().map(group).collect::<Vec<_>>().join("; ")
}
