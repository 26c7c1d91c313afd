//! What must hold of every parser, whatever it is given: one function for each kind of input.
//!
//! `fuzz/` calls them with what a fuzzer thinks up (`make fuzz`), and this crate's tests with what is kept in
//! `fuzz/corpus`, so that neither the functions nor the corpora rot. A function panics when a parser does, and when a
//! property fails: what was parsed reads as it was written, what was verified is what was signed, and two ways to
//! the same answer agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a fuzz target tells what it found"
)]

mod answers;
mod authority;
mod bundles;
mod certificates;
mod configurations;
mod grpc;
mod keystores;
mod names;
mod possession;
mod requests;
mod state;
mod tokens;

#[cfg(test)]
mod tests;

/// A kind of input: its name, which is that of its folder in `fuzz/corpus` and its file in `fuzz/targets`, and what
/// must hold.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("spiffe_id", names::spiffe_id),
    ("selectors", names::selectors),
    ("certificate", certificates::certificate),
    ("revocation_list", certificates::revocation_list),
    ("csr", requests::certificate_request),
    ("jwt", tokens::jwt),
    ("bundle", bundles::bundle),
    ("hcl", configurations::hcl),
    ("keystore", keystores::keystore),
    ("keys_file", state::keys_file),
    ("agent_data", state::agent_data),
    ("journal", state::journal),
    ("server_request", grpc::server_request),
    ("agent_request", grpc::agent_request),
    ("server_answer", answers::server_answer),
    ("agent_answer", answers::agent_answer),
    ("bundle_answer", bundles::bundle_answer),
    ("x509pop", possession::x509pop),
    ("helper_folder", state::helper_folder),
];

/// Does what the target of this name does.
///
/// # Panics
/// When there is none, and when it has found something.
pub fn run(target: &str, data: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
    check(data);
}
