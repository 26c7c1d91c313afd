//! Which program a name is.

use std::ffi::OsStr;

use super::Program;

#[test]
fn the_binary_is_the_program_it_is_called() {
    for (word, program) in [
        ("ghostunnel", Program::Ghostunnel),
        ("/usr/local/bin/ghostunnel", Program::Ghostunnel),
        ("./ghostunnel", Program::Ghostunnel),
        ("/opt/spiffe-helper", Program::SpiffeHelper),
        ("bin/spire-server", Program::SpireServer),
        ("spire-agent", Program::SpireAgent),
        ("spire-server-old", Program::Finial),
        ("finial", Program::Finial),
        ("/usr/bin/finial", Program::Finial),
        ("/opt/ghostunnel/finial", Program::Finial),
        ("ghostunnel-old", Program::Finial),
        ("Ghostunnel", Program::Finial),
        ("geist", Program::Finial),
        ("", Program::Finial),
        ("/", Program::Finial),
    ] {
        assert_eq!(Program::called(Some(OsStr::new(word))), program, "{word}");
    }
    assert_eq!(Program::called(None), Program::Finial);
}
