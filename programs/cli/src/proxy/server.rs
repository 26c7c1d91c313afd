//! The flags of a proxy that accepts mutual TLS.

use std::net::IpAddr;

use anyhow::Result;
use clap::{Args, ValueEnum};
use finial_proxy::{AccessFlags, ProxyProtocol, ServerConfig};

use super::unserved::{Acme, AllowPolicy};
use super::{Both, Called, values};

#[derive(Args)]
pub(crate) struct Server {
    /// Where to listen: HOST:PORT, unix:PATH or systemd:NAME
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where to forward to: HOST:PORT or unix:PATH; given several times, the least busy that is well is taken
    #[arg(long, value_name = "ADDRESS", required = true)]
    target: Vec<String>,
    /// Ask the target how it is by GET of this URL, over a connection to it; all but 200 is ill [default: connect only]
    #[arg(long = "target-status", value_name = "URL")]
    target_status: Option<String>,
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
    #[arg(long = "allow-ip", alias = "allow-ip-san", value_name = "IP", value_parser = values::ip)]
    allow_ip: Vec<IpAddr>,
    /// Accept callers whose SPIFFE ID, or another URI, matches; * is one segment, ** at the end any number
    #[arg(long = "allow-uri", alias = "allow-uri-san", value_name = "PATTERN")]
    allow_uri: Vec<String>,
    /// Accept callers whose key has this hash, as sha256:BASE64, and ask nothing else of their certificate; excludes the
    /// other --allow flags
    #[arg(long = "allow-spki-pin", value_name = "PIN")]
    allow_spki_pin: Vec<String>,
    /// Tell the backend the addresses of callers by PROXY protocol, version 2; the same as the mode `conn`
    #[arg(long = "proxy-protocol")]
    proxy_protocol: bool,
    /// Tell the backend of callers by PROXY protocol, version 2
    #[arg(long = "proxy-protocol-mode", value_name = "MODE")]
    proxy_protocol_mode: Option<Told>,
    /// Speak HTTP with callers, and tell the backend with every request who asks: x-spiffe-id and Client-Cert
    #[arg(long = "identity-header")]
    identity_header: bool,
    /// Speak HTTP/2 with the backend, without asking first, and not HTTP/1.1; with --identity-header
    #[arg(long = "target-http2")]
    target_http2: bool,
    /// Ask callers for no certificate, and accept anybody
    #[arg(long = "disable-authentication")]
    disable_authentication: bool,
    /// The backend may be on another machine, and is reached in the clear
    #[arg(long = "unsafe-target")]
    unsafe_target: bool,
    #[command(flatten)]
    policy: AllowPolicy,
    #[command(flatten)]
    acme: Acme,
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

impl From<Told> for ProxyProtocol {
    fn from(told: Told) -> Self {
        match told {
            Told::Conn => Self::Connection,
            Told::Tls => Self::Tls,
            Told::TlsFull => Self::TlsFull,
        }
    }
}

impl Server {
    pub(crate) fn config(&self, both: &Both, called: Called) -> Result<ServerConfig> {
        let allow = AccessFlags {
            all: self.allow_all,
            common_names: self.allow_cn.clone(),
            organizational_units: self.allow_ou.clone(),
            dns_names: self.allow_dns.clone(),
            ip_names: self.allow_ip.clone(),
            uris: self.allow_uri.clone(),
            pins: self.allow_spki_pin.clone(),
        };
        both.unserved.refuse()?;
        called.check_targets(&self.target)?;
        let mut credentials = both.credentials.flags(called, false)?;
        credentials.keys = both.unserved.keys(called);
        credentials.acme = self.acme.flags();
        Ok(ServerConfig {
            allow,
            proxy_protocol: self.proxy_protocol,
            proxy_protocol_mode: self.proxy_protocol_mode.map(ProxyProtocol::from),
            target_status: self.target_status.clone().filter(|text| !text.is_empty()),
            identity_header: self.identity_header,
            target_http2: self.target_http2,
            policy: self.policy.flags(),
            skip_resolve: both.skip_resolve,
            tls: both.tls.flags(),
            disable_authentication: self.disable_authentication,
            peers: both.peers.flags(),
            unsafe_target: self.unsafe_target,
            status: both.status.flags(),
            quiet: both.status.quiet(),
            limits: both.limits(called),
            targets: self.target.clone(),
            ..ServerConfig::new(&self.listen, "", credentials)
        })
    }
}
