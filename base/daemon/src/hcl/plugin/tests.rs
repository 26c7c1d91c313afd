//! Plugins: which count, and where their settings come from.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Plugin;
use crate::hcl::{Key, KeyState, parse};

fn plugins(text: &str) -> Result<Vec<Plugin>, String> {
    let mut file = parse(text, "f").unwrap();
    let found = file.take_plugins("P").map_err(|error| error.to_string())?;
    file.finish().unwrap();
    Ok(found)
}

fn names(text: &str) -> Vec<String> {
    plugins(text).unwrap().into_iter().map(|plugin| plugin.name).collect()
}

#[test]
fn plugin_that_is_switched_off_does_not_count() {
    assert_eq!(
        names("P \"a\" { enabled = false plugin_cmd = \"/x\" } P \"b\" { enabled = true } P \"c\" {}"),
        ["b", "c"]
    );
    assert_eq!(names("P \"a\" { enabled = \"false\" }"), Vec::<String>::new());
    assert_eq!(
        plugins("P \"a\" { enabled = \"no\" }").unwrap_err(),
        "f:1:19: enabled must be true or false, not `no`"
    );
}

#[test]
fn settings_come_from_the_block_or_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.conf");
    std::fs::write(&path, "x = 1\ny = 2\n").unwrap();
    let path = path.display();
    for text in [
        "P \"a\" { plugin_data { x = 1 } }".to_owned(),
        format!("P \"a\" {{ plugin_data_file = \"{path}\" }}"),
    ] {
        let mut settings = plugins(&text).unwrap().pop().unwrap().settings;
        assert_eq!(settings.take::<u8>("x").unwrap(), Some(1), "{text}");
    }
    let mut settings =
        plugins(&format!("P \"a\" {{ plugin_data_file = \"{path}\" }}")).unwrap().pop().unwrap().settings;
    settings.take::<u8>("x").unwrap();
    let problem = settings.finish().unwrap_err().to_string();
    assert!(problem.starts_with(&format!("{path}:2:1: unknown key \"y\"")), "{problem}");
    assert_eq!(plugins("P \"a\" { }").unwrap()[0].settings.remaining().count(), 0);
}

#[test]
fn bad_plugins_are_refused() {
    for (text, problem) in [
        ("P \"a\" { x = 1 }", "f:1:9: unknown key \"x\" in P \"a\": remove it, or check the spelling"),
        (
            "P \"a\" { plugin_dta {} }",
            "f:1:9: unknown key \"plugin_dta\" in P \"a\" (did you mean \"plugin_data\"?)",
        ),
        (
            "P \"a\" { plugin_cmd = \"/x\" }",
            "f:1:9: plugin_cmd is not supported yet: use a plugin that is built in",
        ),
        (
            "P \"a\" {\n plugin_checksum = \"00\" }",
            "f:2:2: plugin_checksum is not supported yet: use a plugin that is built in",
        ),
        (
            "P \"a\" { plugin_data {} plugin_data_file = \"/x\" }",
            "f:1:24: plugin_data and plugin_data_file exclude each other: keep one",
        ),
    ] {
        assert_eq!(plugins(text).unwrap_err(), problem);
    }
    let problem = plugins("P \"a\" { plugin_data_file = \"/does/not/exist\" }").unwrap_err();
    assert!(problem.starts_with("f:1:9: plugin_data_file /does/not/exist cannot be read: "), "{problem}");
}

#[test]
fn plugin_that_is_not_served_is_told_by_what_is_known_of_it() {
    const KEYS: &[Key] = &[
        Key::not_yet("plugins.P.known", ""),
        Key::new("plugins.P.windows", "", KeyState::Never("it is for Windows, use unix")),
    ];
    let refusal = |name: &str, served: &[&str]| {
        let plugin = plugins(&format!("\n  P \"{name}\" {{}}")).unwrap().pop().unwrap();
        plugin.unserved(KEYS, served).to_string()
    };
    assert_eq!(refusal("known", &["a", "b"]), "f:2:5: P \"known\" is not supported yet: use \"a\" or \"b\"");
    assert_eq!(refusal("known", &[]), "f:2:5: P \"known\" is not supported yet: remove it");
    assert_eq!(
        refusal("windows", &["a"]),
        "f:2:5: P \"windows\" is not supported: it is for Windows, use unix"
    );
    assert_eq!(refusal("other", &["a"]), "f:2:5: P \"other\" is unknown: use \"a\"");
}
