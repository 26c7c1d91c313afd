//! `proto`: turns the .proto files into the committed Rust code and descriptors of base/wire.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use prost::Message;

/// What a server answers on its TCP port and its private socket.
const SERVER: &[&str] = &[
    "finial/agent/v1/changes.proto",
    "spire/api/server/agent/v1/agent.proto",
    "spire/api/server/bundle/v1/bundle.proto",
    "spire/api/server/debug/v1/debug.proto",
    "spire/api/server/entry/v1/entry.proto",
    "spire/api/server/localauthority/v1/localauthority.proto",
    "spire/api/server/logger/v1/logger.proto",
    "spire/api/server/svid/v1/svid.proto",
];

/// What an agent answers on its public socket.
const WORKLOAD: &[&str] = &["spiffe/workload.proto"];

/// What an agent answers to Envoys, on the same socket.
const SECRETS: &[&str] = &[
    "envoy/extensions/transport_sockets/tls/v3/secret.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto",
    "envoy/service/secret/v3/sds.proto",
];

/// What an agent answers on its admin socket.
const ADMIN: &[&str] = &[
    "finial/agent/v1/explain.proto",
    "spire/api/agent/debug/v1/debug.proto",
    "spire/api/agent/delegatedidentity/v1/delegatedidentity.proto",
    "spire/api/agent/logger/v1/logger.proto",
];

/// What travels inside others.
const DETAILS: &[&str] = &["google/rpc/status.proto"];

/// Messages whose derived `Debug` would print a key, a token, a CSR or a selector's value. base/wire
/// writes theirs by hand, in `src/redacted.rs`.
const SECRET: &[&str] = &[
    ".JWTSVID",
    ".ValidateJWTSVIDRequest",
    ".ValidateJWTSVIDResponse",
    ".WITSVID",
    ".X509SVID",
    ".envoy.config.core.v3.DataSource",
    ".envoy.service.discovery.v3.DeltaDiscoveryResponse",
    ".envoy.service.discovery.v3.DiscoveryResponse",
    ".envoy.service.discovery.v3.Resource",
    ".spire.api.agent.delegatedidentity.v1.X509SVIDWithKey",
    ".spire.api.server.agent.v1.AgentX509SVIDParams",
    ".spire.api.server.agent.v1.AttestAgentRequest",
    ".spire.api.server.agent.v1.AttestAgentResponse",
    ".spire.api.server.agent.v1.CreateJoinTokenRequest",
    ".spire.api.server.svid.v1.MintX509SVIDRequest",
    ".spire.api.server.svid.v1.NewDownstreamX509CARequest",
    ".spire.api.server.svid.v1.NewX509SVIDParams",
    ".spire.api.types.AttestationData",
    ".spire.api.types.JWTSVID",
    ".spire.api.types.JoinToken",
    ".spire.api.types.Selector",
    ".spire.api.types.WITSVID",
];

/// The messages of which base/wire has types of its own: what they hold thousands of is not taken apart twice.
const ENTRY_MESSAGES: [(&str, &str); 4] = [
    (".spire.api.server.entry.v1.BatchCreateEntryRequest", "crate::entry_messages::NewEntries"),
    (".spire.api.server.entry.v1.BatchCreateEntryResponse", "crate::entry_messages::NewEntryResults"),
    (".spire.api.server.entry.v1.SyncAuthorizedEntriesRequest", "crate::entry_messages::SyncRequest"),
    (".spire.api.server.entry.v1.SyncAuthorizedEntriesResponse", "crate::entry_messages::SyncedPage"),
];

/// Files of the generated folder, by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes the generated folder anew.
pub(crate) fn generate() -> anyhow::Result<()> {
    let files = compile()?;
    let folder = generated_folder();
    for name in read(&folder)?.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, content) in &files {
        fs::write(folder.join(name), content)?;
    }
    Ok(())
}

/// Fails when the generated folder is not what the .proto files say.
pub(crate) fn check() -> anyhow::Result<()> {
    let (expected, committed) = (compile()?, read(&generated_folder())?);
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(committed.keys()).collect();
    let stale: Vec<&str> = names
        .into_iter()
        .filter(|name| expected.get(*name) != committed.get(*name))
        .map(String::as_str)
        .collect();
    if !stale.is_empty() {
        bail!(
            "base/wire/src/gen differs from proto/ in {}: run `cargo xtask proto` and commit",
            stale.join(", ")
        );
    }
    Ok(())
}

fn compile() -> anyhow::Result<Files> {
    let scratch = tempfile::tempdir()?;
    let all = [SERVER, WORKLOAD, ADMIN, SECRETS, DETAILS].concat();
    let mut generator = tonic_prost_build::configure();
    for (message, ours) in ENTRY_MESSAGES {
        generator = generator.extern_path(message, ours);
    }
    generator
        .out_dir(scratch.path())
        .btree_map(".")
        .disable_comments(["."])
        .skip_debug(SECRET)
        .compile_fds(descriptors(&all)?)
        .context("cannot generate Rust code")?;
    let mut files = read(scratch.path())?;
    files.retain(|_, content| !content.is_empty());
    files.insert("admin.descriptors.bin".into(), descriptors(ADMIN)?.encode_to_vec());
    files.insert("secrets.descriptors.bin".into(), descriptors(SECRETS)?.encode_to_vec());
    files.insert("server.descriptors.bin".into(), descriptors(SERVER)?.encode_to_vec());
    files.insert("workload.descriptors.bin".into(), descriptors(WORKLOAD)?.encode_to_vec());
    Ok(files)
}

/// Descriptors of these files and all they import, without comments: those stay in proto/.
fn descriptors(files: &[&str]) -> anyhow::Result<prost_types::FileDescriptorSet> {
    let mut compiler = protox::Compiler::new([root().join("proto")])?;
    compiler.include_imports(true).include_source_info(false).open_files(files)?;
    Ok(compiler.file_descriptor_set())
}

fn read(folder: &Path) -> anyhow::Result<Files> {
    fs::create_dir_all(folder)?;
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}

fn generated_folder() -> PathBuf {
    root().join("base/wire/src/gen")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
