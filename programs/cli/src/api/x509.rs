//! `finial api fetch x509` and `finial api watch`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use finial_daemon::{Clock, file, go};
use finial_identity::{Bundle, X509Authority, X509Credential};
use finial_wire::X509Context;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::Ask;
use crate::{connection::answered, output};

#[derive(Args)]
pub(crate) struct Fetch {
    /// Print nothing
    #[arg(long)]
    silent: bool,
    /// Write certificates, keys and bundles to this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    #[command(flatten)]
    ask: Ask,
}

impl Fetch {
    pub(crate) async fn run(self) -> Result<()> {
        let clock = Clock::system();
        let started = clock.monotonic();
        let context = self.ask.in_time(async { first(&self.ask).await }).await?;
        if !self.silent {
            let took = clock.monotonic().saturating_sub(started);
            self.ask.output.print(describe(&context, took), || context_json(&context));
        }
        if let Some(folder) = &self.write {
            write_files(folder, &context, self.silent || self.ask.output.is_json())?;
        }
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    ask: Ask,
}

impl Watch {
    pub(crate) async fn run(self) -> Result<()> {
        let clock = Clock::system();
        let client = self.ask.client().await?;
        let mut started = clock.monotonic();
        let mut updates = client.x509_svids().await.map_err(answered)?;
        while let Some(update) = updates.next().await {
            let context = update.map_err(answered)?;
            let now = clock.monotonic();
            self.ask.output.print(describe(&context, now.saturating_sub(started)), || context_json(&context));
            started = now;
        }
        Err(anyhow!("the agent closed the stream; start the command again once the agent is back"))
    }
}

async fn first(ask: &Ask) -> Result<X509Context> {
    let client = ask.client().await?;
    let mut updates = client.x509_svids().await.map_err(answered)?;
    let first = updates.next().await.context("the agent closed the stream without an answer")?;
    first.map_err(answered)
}

fn describe(context: &X509Context, took: Duration) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_description(&mut out, context, took);
    out
}

fn write_description(out: &mut String, context: &X509Context, took: Duration) -> std::fmt::Result {
    writeln!(out, "Received {} svid(s) after {}\n", context.credentials.len(), go::format_duration(took))?;
    for credential in &context.credentials {
        let svid = credential.svid();
        writeln!(out, "SPIFFE ID:\t\t{}", svid.id())?;
        if !credential.hint().is_empty() {
            writeln!(out, "Hint:\t\t\t{}", credential.hint())?;
        }
        writeln!(out, "SVID Valid After:\t{}", go::format_time(svid.not_before()))?;
        writeln!(out, "SVID Valid Until:\t{}", go::format_time(svid.not_after()))?;
        let intermediates = svid.chain().iter().skip(1).map(|der| X509Authority::parse_der(der.as_ref()));
        for (n, intermediate) in intermediates.flatten().enumerate() {
            writeln!(
                out,
                "Intermediate #{} Valid After:\t{}",
                n + 1,
                go::format_time(intermediate.not_before())
            )?;
            writeln!(
                out,
                "Intermediate #{} Valid Until:\t{}",
                n + 1,
                go::format_time(intermediate.not_after())
            )?;
        }
        if let Some(bundle) = context.bundles.bundle(&svid.id().trust_domain()) {
            write_authorities(out, "", bundle)?;
        }
        for bundle in federated(context, credential) {
            write_authorities(out, &format!("[{}] ", bundle.trust_domain), bundle)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_authorities(out: &mut String, prefix: &str, bundle: &Bundle) -> std::fmt::Result {
    for (n, authority) in bundle.x509_authorities.iter().enumerate() {
        writeln!(out, "{prefix}CA #{} Valid After:\t{}", n + 1, go::format_time(authority.not_before()))?;
        writeln!(out, "{prefix}CA #{} Valid Until:\t{}", n + 1, go::format_time(authority.not_after()))?;
    }
    Ok(())
}

fn federated<'a>(
    context: &'a X509Context,
    credential: &'a X509Credential,
) -> impl Iterator<Item = &'a Bundle> {
    let own = credential.svid().id().trust_domain();
    context.bundles.iter().map(AsRef::as_ref).filter(move |bundle: &&Bundle| bundle.trust_domain != own)
}

fn context_json(context: &X509Context) -> Value {
    let svids = context.credentials.iter().map(|credential| {
        let svid = credential.svid();
        let bundle = context.bundles.bundle(&svid.id().trust_domain()).map(|bundle| bundle.x509_der());
        json!({
            "spiffe_id": svid.id().to_string(),
            "x509_svid": STANDARD.encode(svid.chain_der()),
            "x509_svid_key": STANDARD.encode(credential.key().pkcs8_der()),
            "bundle": STANDARD.encode(bundle.unwrap_or_default()),
            "hint": credential.hint(),
        })
    });
    let federated: serde_json::Map<String, Value> = context
        .credentials
        .first()
        .into_iter()
        .flat_map(|credential| federated(context, credential))
        .map(|bundle| (bundle.trust_domain.id().to_string(), json!(STANDARD.encode(bundle.x509_der()))))
        .collect();
    json!({"svids": svids.collect::<Vec<_>>(), "crl": [], "federated_bundles": federated})
}

fn write_files(folder: &Path, context: &X509Context, silent: bool) -> Result<()> {
    let put = |what: &str, name: String, content: &[u8], mode: u32| -> Result<()> {
        let path = folder.join(name);
        if !silent {
            output::print(format_args!("Writing {what} to file {}.\n", path.display()));
        }
        Ok(file::write(&path, content, mode)?)
    };
    for (n, credential) in context.credentials.iter().enumerate() {
        let svid = credential.svid();
        put(&format!("SVID #{n}"), format!("svid.{n}.pem"), svid.to_pem().as_bytes(), 0o644)?;
        put(&format!("key #{n}"), format!("svid.{n}.key"), credential.key().to_pem().as_bytes(), 0o600)?;
        if let Some(bundle) = context.bundles.bundle(&svid.id().trust_domain()) {
            put(&format!("bundle #{n}"), format!("bundle.{n}.pem"), bundle.to_pem().as_bytes(), 0o644)?;
        }
        for (m, bundle) in federated(context, credential).enumerate() {
            let what = format!("federated bundle #{m} for trust domain \"{}\"", bundle.trust_domain);
            put(&what, format!("federated_bundle.{n}.{m}.pem"), bundle.to_pem().as_bytes(), 0o644)?;
        }
    }
    Ok(())
}
