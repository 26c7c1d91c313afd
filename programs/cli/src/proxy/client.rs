//! The flags of a proxy that forwards over mutual TLS.

use std::net::IpAddr;

use anyhow::Result;
use clap::Args;
use finial_proxy::{AccessFlags, ClientConfig, Upstream};

use super::unserved::VerifyPolicy;
use super::{Both, Called, values};

#[derive(Args)]
pub(crate) struct Client {
    /// Where to listen: HOST:PORT, unix:PATH or systemd:NAME
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where to forward to: HOST:PORT; given several times, the least busy that is well is taken
    #[arg(long, value_name = "ADDRESS", required = true)]
    target: Vec<String>,
    /// Ask the target how it is by GET of this URL, over a connection to it; all but 200 is ill [default: handshake only]
    #[arg(long = "target-status", value_name = "URL")]
    target_status: Option<String>,
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
    #[arg(long = "verify-ip", alias = "verify-ip-san", value_name = "IP", value_parser = values::ip)]
    verify_ip: Vec<IpAddr>,
    /// Talk to servers whose SPIFFE ID, or another URI, matches; * is one segment, ** at the end any number
    #[arg(long = "verify-uri", alias = "verify-uri-san", value_name = "PATTERN")]
    verify_uri: Vec<String>,
    /// Talk to servers whose key has this hash, as sha256:BASE64, and ask nothing else of their certificate; excludes
    /// the other --verify flags
    #[arg(long = "verify-spki-pin", value_name = "PIN")]
    verify_spki_pin: Vec<String>,
    /// Present no certificate to the server
    #[arg(long = "disable-authentication")]
    disable_authentication: bool,
    /// The name that the server's certificate must be for, and SNI [default: the host of the target]
    #[arg(long = "override-server-name", value_name = "NAME")]
    server_name: Option<String>,
    /// Reach the target by way of this proxy: http://[USER:PASSWORD@]HOST:PORT (CONNECT) or socks5://…
    #[arg(long = "proxy", alias = "connect-proxy", value_name = "URL", value_parser = Upstream::parse)]
    proxy: Option<Upstream>,
    /// Callers may come from other machines, and use this identity
    #[arg(long = "unsafe-listen")]
    unsafe_listen: bool,
    #[command(flatten)]
    policy: VerifyPolicy,
}

impl Client {
    pub(crate) fn config(&self, both: &Both, called: Called) -> Result<ClientConfig> {
        both.unserved.refuse()?;
        called.check_targets(&self.target)?;
        let mut credentials = both.credentials.flags(called, self.disable_authentication)?;
        credentials.keys = both.unserved.keys(called);
        let mut verify = AccessFlags {
            all: false,
            common_names: self.verify_cn.clone(),
            organizational_units: self.verify_ou.clone(),
            dns_names: self.verify_dns.clone(),
            ip_names: self.verify_ip.clone(),
            uris: self.verify_uri.clone(),
            pins: self.verify_spki_pin.clone(),
        };
        // ghostunnel takes any ID of the agent's bundles for its server's when no rule names one.
        verify.all = called == Called::Ghostunnel && credentials.workload_api.is_some() && verify.is_empty();
        Ok(ClientConfig {
            verify,
            target_status: self.target_status.clone().filter(|text| !text.is_empty()),
            policy: self.policy.flags(),
            skip_resolve: both.skip_resolve,
            tls: both.tls.flags(),
            disable_authentication: self.disable_authentication,
            peers: both.peers.flags(),
            server_name: self.server_name.clone().filter(|name| !name.is_empty()),
            upstream: self.proxy.clone(),
            unsafe_listen: self.unsafe_listen,
            status: both.status.flags(),
            quiet: both.status.quiet(),
            limits: both.limits(called),
            targets: self.target.clone(),
            ..ClientConfig::new(&self.listen, "", credentials)
        })
    }
}
