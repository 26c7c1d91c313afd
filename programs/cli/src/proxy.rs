//! `finial proxy server|client`: TLS for programs that know nothing of SPIFFE, with ghostunnel's flags.

mod credentials;
mod status;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use finial_daemon::{
    Clock, descriptors, go,
    log::{Format, Level, Output},
    signals::ReloadRequests,
};
use finial_proxy::{
    AccessFlags, Address, ClientConfig, Config, Limits, ProxyProtocol, Reloader, ServerConfig, Upstream,
};

use self::credentials::Credentials;
use self::status::Status;
use crate::{logging::Logging, server::terminated};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accept mutual TLS, forward in the clear to a backend on this machine
    Server(Box<Server>),
    /// Accept in the clear on this machine, forward over mutual TLS
    Client(Box<Client>),
}

impl Command {
    pub(crate) async fn run(self) -> Result<()> {
        let (config, logging) = match self {
            Self::Server(command) => (Config::from(command.config()?), command.common.logging),
            Self::Client(command) => (Config::from(command.config()?), command.common.logging),
        };
        descriptors::raise_limit().context("raise the limit of open files")?;
        let _level = logging.begin(Level::Info, Format::Text, Output::Stdout)?;
        let app = finial_proxy::build(config, &Clock::system()).await?;
        let until = terminated_after_reloads(app.reloader());
        app.run(until).await?;
        Ok(())
    }
}

/// Reads files again at SIGHUP and SIGUSR1; resolves at SIGINT or SIGTERM.
async fn terminated_after_reloads(reloader: Reloader) {
    let reload = async {
        let mut requests = match ReloadRequests::new() {
            Ok(requests) => requests,
            Err(error) => {
                tracing::warn!(%error, "signals cannot be received; files are read again at intervals only");
                return std::future::pending().await;
            }
        };
        loop {
            let signal = requests.next().await;
            tracing::info!(signal, "received {signal}, reloading TLS configuration");
            reloader.reload();
        }
    };
    tokio::select! {
        () = terminated() => {}
        () = reload => {}
    }
}

#[derive(Args)]
pub(crate) struct Server {
    /// Accept whoever has a certificate that verifies; excludes the other --allow flags
    #[arg(long = "allow-all")]
    allow_all: bool,
    /// Accept callers whose certificate has this common name; give it several times, any of all rules permits
    #[arg(long = "allow-cn", value_name = "CN")]
    allow_cn: Vec<String>,
    /// Accept callers whose certificate has this organizational unit
    #[arg(long = "allow-ou", value_name = "OU")]
    allow_ou: Vec<String>,
    /// Accept callers whose certificate has this DNS name
    #[arg(long = "allow-dns", alias = "allow-dns-san", value_name = "DNS")]
    allow_dns: Vec<String>,
    /// Accept callers whose certificate has this IP address
    #[arg(long = "allow-ip", alias = "allow-ip-san", value_name = "IP")]
    allow_ip: Vec<IpAddr>,
    /// Accept callers whose SPIFFE ID, or another URI, matches; * is one segment, ** at the end any number
    #[arg(long = "allow-uri", alias = "allow-uri-san", value_name = "PATTERN")]
    allow_uri: Vec<String>,
    /// Tell the backend the addresses of callers by PROXY protocol, version 2; the same as the mode `conn`
    #[arg(long = "proxy-protocol")]
    proxy_protocol: bool,
    /// Tell the backend of callers by PROXY protocol, version 2
    #[arg(long = "proxy-protocol-mode", value_name = "MODE")]
    proxy_protocol_mode: Option<Told>,
    /// Ask callers for no certificate, and accept anybody
    #[arg(long = "disable-authentication")]
    disable_authentication: bool,
    /// The backend may be on another machine, and is reached in the clear
    #[arg(long = "unsafe-target")]
    unsafe_target: bool,
    #[command(flatten)]
    common: Common,
}

/// What a backend is told of callers.
#[derive(Clone, Copy, ValueEnum)]
enum Told {
    /// Their addresses
    Conn,
    /// Beside these the version of TLS, the name they asked for and the application protocol
    Tls,
    /// Beside these the certificate that was verified
    TlsFull,
}

impl Server {
    fn proxy_protocol(&self) -> Result<Option<ProxyProtocol>> {
        Ok(match (self.proxy_protocol, self.proxy_protocol_mode) {
            (true, Some(_)) => bail!("--proxy-protocol and --proxy-protocol-mode are mutually exclusive"),
            (true, None) | (false, Some(Told::Conn)) => Some(ProxyProtocol::Connection),
            (false, Some(Told::Tls)) => Some(ProxyProtocol::Tls),
            (false, Some(Told::TlsFull)) => Some(ProxyProtocol::TlsFull),
            (false, None) => None,
        })
    }

    fn config(&self) -> Result<ServerConfig> {
        let (listen, target) = self.common.addresses()?;
        let allow = AccessFlags {
            all: self.allow_all,
            common_names: self.allow_cn.clone(),
            organizational_units: self.allow_ou.clone(),
            dns_names: self.allow_dns.clone(),
            ip_names: self.allow_ip.clone(),
            uris: self.allow_uri.clone(),
        };
        Ok(ServerConfig {
            allow,
            proxy_protocol: self.proxy_protocol()?,
            disable_authentication: self.disable_authentication,
            unsafe_target: self.unsafe_target,
            status: self.common.status.flags()?,
            quiet: self.common.status.quiet(),
            limits: self.common.limits(),
            ..ServerConfig::new(listen, target, self.common.credentials.flags(false)?)
        })
    }
}

#[derive(Args)]
pub(crate) struct Client {
    /// Talk to servers whose certificate has this common name; give it several times, any of all rules permits
    #[arg(long = "verify-cn", value_name = "CN")]
    verify_cn: Vec<String>,
    /// Talk to servers whose certificate has this organizational unit
    #[arg(long = "verify-ou", value_name = "OU")]
    verify_ou: Vec<String>,
    /// Talk to servers whose certificate has this DNS name
    #[arg(long = "verify-dns", alias = "verify-dns-san", value_name = "DNS")]
    verify_dns: Vec<String>,
    /// Talk to servers whose certificate has this IP address
    #[arg(long = "verify-ip", alias = "verify-ip-san", value_name = "IP")]
    verify_ip: Vec<IpAddr>,
    /// Talk to servers whose SPIFFE ID, or another URI, matches; * is one segment, ** at the end any number
    #[arg(long = "verify-uri", alias = "verify-uri-san", value_name = "PATTERN")]
    verify_uri: Vec<String>,
    /// Present no certificate to the server
    #[arg(long = "disable-authentication")]
    disable_authentication: bool,
    /// The name that the server's certificate must be for, and SNI [default: the host of the target]
    #[arg(long = "override-server-name", value_name = "NAME")]
    server_name: Option<String>,
    /// Reach the target by way of this proxy: http://[USER:PASSWORD@]HOST:PORT (CONNECT) or socks5://…
    #[arg(long = "proxy", alias = "connect-proxy", value_name = "URL")]
    proxy: Option<String>,
    /// Callers may come from other machines, and use this identity
    #[arg(long = "unsafe-listen")]
    unsafe_listen: bool,
    #[command(flatten)]
    common: Common,
}

impl Client {
    fn config(&self) -> Result<ClientConfig> {
        let (listen, target) = self.common.addresses()?;
        let verify = AccessFlags {
            all: false,
            common_names: self.verify_cn.clone(),
            organizational_units: self.verify_ou.clone(),
            dns_names: self.verify_dns.clone(),
            ip_names: self.verify_ip.clone(),
            uris: self.verify_uri.clone(),
        };
        Ok(ClientConfig {
            verify,
            disable_authentication: self.disable_authentication,
            server_name: self.server_name.clone(),
            upstream: self.proxy.as_deref().map(Upstream::parse).transpose().context("invalid --proxy")?,
            unsafe_listen: self.unsafe_listen,
            status: self.common.status.flags()?,
            quiet: self.common.status.quiet(),
            limits: self.common.limits(),
            ..ClientConfig::new(listen, target, self.common.credentials.flags(self.disable_authentication)?)
        })
    }
}

#[derive(Args)]
struct Common {
    /// Where to listen: HOST:PORT, unix:PATH or systemd:NAME
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where to forward to: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    target: String,
    #[command(flatten)]
    credentials: Credentials,
    /// How long to wait for the first identity; 0 for ever
    #[arg(long = "use-workload-api-timeout", default_value = "10m", value_name = "DURATION", value_parser = go::parse_duration)]
    workload_api_timeout: Duration,
    /// How long to dial, and to end a handshake
    #[arg(long = "connect-timeout", default_value = "10s", value_name = "DURATION", value_parser = go::parse_duration)]
    connect_timeout: Duration,
    /// How long open connections may go on after the proxy was told to stop
    #[arg(long = "shutdown-timeout", default_value = "5m", value_name = "DURATION", value_parser = go::parse_duration)]
    shutdown_timeout: Duration,
    /// How long one direction may go on after the other has ended
    #[arg(long = "close-timeout", default_value = "60s", value_name = "DURATION", value_parser = go::parse_duration)]
    close_timeout: Duration,
    /// How long a connection may be open; 0 for ever
    #[arg(long = "max-conn-lifetime", default_value = "0", value_name = "DURATION", value_parser = go::parse_duration)]
    lifetime: Duration,
    /// Connections at once; further ones wait [default: 10000]
    #[arg(long = "max-concurrent-conns", value_name = "NUMBER")]
    connections: Option<u32>,
    #[command(flatten)]
    status: Status,
    #[command(flatten)]
    logging: Logging,
}

impl Common {
    fn addresses(&self) -> Result<(Address, Address)> {
        let listen = Address::parse(&self.listen).context("invalid --listen address")?;
        let target = Address::parse(&self.target).context("invalid --target address")?;
        Ok((listen, target))
    }

    /// Zero is ghostunnel's for no limit.
    fn connections(&self) -> usize {
        match self.connections {
            None => Limits::default().connections,
            Some(0) => usize::MAX,
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            workload_api_timeout: self.workload_api_timeout,
            connect_timeout: self.connect_timeout,
            shutdown_timeout: self.shutdown_timeout,
            close_timeout: self.close_timeout,
            lifetime: self.lifetime,
            connections: self.connections(),
        }
    }
}
