//! `finial proxy check`: what a configuration would do, and whether it would let somebody in.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use finial_daemon::Clock;
use finial_identity::SpiffeId;
use finial_proxy::{Config, Examined, Judgement, Visitor, examine, examine_file};
use serde_json::{Value, json};

use super::{Both, Called, Client, Server};
use crate::output::Output;

/// Ends with 0 when the configuration is good and, if somebody is asked for, a listener would let them in; else with 1.
#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Check {
    /// The configuration file; or give `server` or `client` with their flags
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Only the listener of this name
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Whether it would let in, or talk to, whoever has this SPIFFE ID
    #[arg(long = "spiffeID", visible_alias = "spiffe-id", value_name = "ID", conflicts_with = "cert")]
    spiffe_id: Option<String>,
    /// Whether it would let in, or talk to, the holder of the certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    flags: Option<Flags>,
}

#[derive(Subcommand)]
enum Flags {
    /// Check the flags of `proxy server`
    Server(Box<Mode<Server>>),
    /// Check the flags of `proxy client`
    Client(Box<Mode<Client>>),
}

#[derive(Args)]
struct Mode<M: Args> {
    #[command(flatten)]
    mode: M,
    #[command(flatten)]
    both: Both,
}

impl Check {
    pub(crate) async fn run(self) -> Result<()> {
        let visitor = self.visitor()?;
        let mut listeners = self.examine().await?;
        if let Some(name) = &self.listener {
            listeners.retain(|listener| listener.name() == name);
            if listeners.is_empty() {
                bail!("no listener is called `{}`", name.escape_debug());
            }
        }
        let judged = listeners
            .iter()
            .map(|listener| (listener, visitor.as_ref().map(|visitor| listener.judge(visitor))));
        let judged = judged.collect::<Vec<_>>();
        let permitted = judged.iter().any(|(_, judgement)| judgement.as_ref().is_none_or(|it| it.permitted));
        self.output.print(
            screen(&judged),
            || json!({"ok": permitted, "listeners": judged.iter().map(machine).collect::<Vec<_>>()}),
        );
        if permitted { Ok(()) } else { bail!("refused by every listener that was asked") }
    }

    fn visitor(&self) -> Result<Option<Visitor>> {
        Ok(match (&self.spiffe_id, &self.cert) {
            (Some(id), _) => {
                Some(Visitor::Id(SpiffeId::parse(id).with_context(|| format!("-spiffeID {id:?}"))?))
            }
            (None, Some(path)) => Some(Visitor::read(path)?),
            (None, None) => None,
        })
    }

    async fn examine(&self) -> Result<Vec<Examined>> {
        let clock = Clock::system();
        let config: Config = match (&self.flags, &self.config) {
            (Some(_), Some(_)) => bail!("-config and flags exclude each other"),
            (Some(Flags::Server(it)), None) => it.mode.config(&it.both, Called::Finial)?.into(),
            (Some(Flags::Client(it)), None) => it.mode.config(&it.both, Called::Finial)?.into(),
            (None, Some(path)) => return Ok(examine_file(path, &clock).await?),
            (None, None) => bail!("give -config FILE, or server or client with their flags"),
        };
        Ok(vec![examine(config, &clock).await?])
    }
}

type Judged<'a> = (&'a Examined, Option<Judgement>);

fn screen(judged: &[Judged<'_>]) -> String {
    let mut text = String::new();
    for (listener, judgement) in judged {
        // Writing to a string does not fail.
        let _ = write_one(&mut text, listener, judgement.as_ref());
    }
    text
}

fn write_one(text: &mut String, listener: &Examined, judgement: Option<&Judgement>) -> std::fmt::Result {
    let name = if listener.name().is_empty() { String::new() } else { format!(" \"{}\"", listener.name()) };
    let way = format!("{} -> {}", listener.listen(), listener.targets().join(", "));
    writeln!(text, "{}{name}  {way}", listener.mode())?;
    writeln!(text, "  presents  {}", listener.presents())?;
    let verb = if listener.mode() == "server" { "lets in " } else { "talks to" };
    for (count, rule) in listener.rules().iter().enumerate() {
        writeln!(text, "  {}  {rule}", if count == 0 { verb } else { "        " })?;
    }
    if let Some(Judgement { permitted, reasons }) = judgement {
        writeln!(text, "  {}", if *permitted { "permitted" } else { "REFUSED" })?;
        reasons.iter().try_for_each(|reason| writeln!(text, "            {}", reason.escape_debug()))?;
    }
    Ok(())
}

fn machine((listener, judgement): &Judged<'_>) -> Value {
    let mut told = json!({
        "name": listener.name(),
        "mode": listener.mode(),
        "listen": listener.listen(),
        "targets": listener.targets(),
        "presents": listener.presents(),
        "rules": listener.rules(),
    });
    if let (Some(Judgement { permitted, reasons }), Some(told)) = (judgement, told.as_object_mut()) {
        told.insert("permitted".to_owned(), json!(permitted));
        told.insert("reasons".to_owned(), json!(reasons));
    }
    told
}
