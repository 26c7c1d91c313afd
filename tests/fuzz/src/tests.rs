//! What is kept of the fuzzer's finds holds, and is small; and the fuzzer knows every target.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::TARGETS;

/// Of all corpora together.
const MAX_BYTES: usize = 500_000;

fn fuzz(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_the_corpora_keeps_the_properties() {
    let mut bytes = 0;
    for (name, check) in TARGETS {
        let inputs = files(&fuzz("corpus").join(name));
        assert!(inputs.len() >= 5, "{name} has a corpus of {} inputs", inputs.len());
        for input in inputs {
            let data = fs::read(&input).unwrap();
            bytes += data.len();
            // The name of the input, should it be the one that fails.
            println!("{}", input.display());
            check(&data);
        }
    }
    assert!(bytes < MAX_BYTES, "the corpora have {bytes} bytes");
}

#[test]
fn nothing_and_every_single_byte_keep_the_properties() {
    for (_, check) in TARGETS {
        check(&[]);
        for byte in 0..=u8::MAX {
            check(&[byte]);
        }
    }
}

#[test]
fn the_fuzzer_has_a_target_and_a_corpus_for_each_function_and_no_other() {
    let known: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        files(&fuzz(folder))
            .iter()
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let manifest = fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    for folder in ["targets", "corpus"] {
        assert_eq!(stems(folder).iter().map(String::as_str).collect::<BTreeSet<_>>(), known, "{folder}");
    }
    for name in known {
        let body = format!("finial_fuzz::run(\"{name}\", data)");
        assert!(fs::read_to_string(fuzz("targets").join(format!("{name}.rs"))).unwrap().contains(&body));
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name}");
    }
}
