//! The blocks of the listeners, and what must hold between them.

use std::error::Error;

use super::keys::Keys;
use super::{Defaults, access, identity, limits, peers, status};
use crate::config::{Named, StatusFlags};
use crate::{
    Address, ClientConfig, Config, HealthCheck, ProxyError, ProxyProtocol, ServerConfig, TlsFlags, Upstream,
};

/// A listener that was read: its name, its block, and what it is told to do unless that is at fault.
struct Read {
    name: String,
    keys: Keys,
    named: Option<Named>,
}

pub(super) fn read(top: &mut Keys, defaults: &Defaults, status: &StatusFlags) -> Vec<(String, Config)> {
    let servers = top.labelled("server").into_iter().map(|(name, keys)| check(name, keys, defaults, server));
    let mut blocks = servers.collect::<Vec<_>>();
    let clients = top.labelled("client").into_iter().map(|(name, keys)| check(name, keys, defaults, client));
    blocks.extend(clients);
    if blocks.is_empty() && top.is_sound() {
        top.fault("there is no server \"NAME\" { } and no client \"NAME\" { } block: add one");
    }
    let status = check_status(top, status);
    apart(&mut blocks, status.as_ref());
    let mut listeners = Vec::new();
    for Read { name, keys, named } in blocks {
        top.adopt(keys.faults());
        listeners.extend(named.map(|named| (name, named.config)));
    }
    listeners
}

/// A block, and its checks once every key could be read.
fn check(
    name: String,
    mut keys: Keys,
    defaults: &Defaults,
    read: fn(&mut Keys, &Defaults) -> Config,
) -> Read {
    let config = read(&mut keys, defaults);
    let named = keys.is_sound().then_some(config).and_then(|config| match Named::new(name.clone(), config) {
        Ok(named) => Some(named),
        Err(error) => {
            keys.fault(&in_keys(&error));
            None
        }
    });
    Read { name, keys, named }
}

fn server(keys: &mut Keys, defaults: &Defaults) -> Config {
    let (listen, targets) = (keys.require::<String>("listen"), keys.texts_required("target"));
    let own = identity::read(keys);
    let credentials = own.or_else(|| defaults.credentials.clone()).unwrap_or_default();
    // What is missing is a fault of the block, which then is used for nothing.
    let config = ServerConfig {
        targets: targets.unwrap_or_default(),
        health_check: health_check(keys),
        unsafe_target: keys.take("unsafe_target").unwrap_or_default(),
        allow: access::allow(keys),
        peers: peers::read(keys),
        proxy_protocol: keys.take("proxy_protocol").unwrap_or_default(),
        proxy_protocol_mode: proxy_protocol_mode(keys),
        identity_header: keys.take("identity_header").unwrap_or_default(),
        target_http2: keys.take("target_http2").unwrap_or_default(),
        target_status: keys.take("target_status"),
        disable_authentication: keys.take("disable_authentication").unwrap_or_default(),
        quiet: status::quiet(keys).unwrap_or(defaults.quiet),
        limits: limits::read(keys, &defaults.limits),
        tls: tls(keys),
        ..ServerConfig::new(listen.unwrap_or_default(), "", credentials)
    };
    Config::Server(config)
}

fn client(keys: &mut Keys, defaults: &Defaults) -> Config {
    let (listen, targets) = (keys.require::<String>("listen"), keys.texts_required("target"));
    let upstream = keys.take::<String>("proxy");
    let own = identity::read(keys);
    let credentials = own.or_else(|| defaults.credentials.clone()).unwrap_or_default();
    let config = ClientConfig {
        targets: targets.unwrap_or_default(),
        health_check: health_check(keys),
        unsafe_listen: keys.take("unsafe_listen").unwrap_or_default(),
        server_name: keys.take("override_server_name"),
        upstream: upstream.and_then(|text| keys.read("proxy", Upstream::parse(&text))),
        verify: access::verify(keys),
        peers: peers::read(keys),
        target_status: keys.take("target_status"),
        disable_authentication: keys.take("disable_authentication").unwrap_or_default(),
        quiet: status::quiet(keys).unwrap_or(defaults.quiet),
        limits: limits::read(keys, &defaults.limits),
        tls: tls(keys),
        ..ClientConfig::new(listen.unwrap_or_default(), "", credentials)
    };
    Config::Client(config)
}

fn tls(keys: &mut Keys) -> TlsFlags {
    TlsFlags {
        cipher_suites: keys.take("cipher_suites"),
        newest: keys.take("max_tls_version"),
        ..TlsFlags::default()
    }
}

fn health_check(keys: &mut Keys) -> Option<HealthCheck> {
    let mut keys_of_check = keys.block("health_check")?;
    let defaults = HealthCheck::default();
    let check = HealthCheck {
        path: keys_of_check.take("path"),
        interval: keys_of_check.take("interval").unwrap_or(defaults.interval),
        timeout: keys_of_check.take("timeout").unwrap_or(defaults.timeout),
        healthy: keys_of_check.take("healthy").unwrap_or(defaults.healthy),
        unhealthy: keys_of_check.take("unhealthy").unwrap_or(defaults.unhealthy),
    };
    keys.adopt(keys_of_check.faults());
    Some(check)
}

fn proxy_protocol_mode(keys: &mut Keys) -> Option<ProxyProtocol> {
    let mode = keys.take::<String>("proxy_protocol_mode")?;
    let read = match mode.as_str() {
        "conn" => Ok(ProxyProtocol::Connection),
        "tls" => Ok(ProxyProtocol::Tls),
        "tls-full" => Ok(ProxyProtocol::TlsFull),
        other => Err(format!("must be conn, tls or tls-full, not `{}`", other.escape_debug())),
    };
    keys.read("proxy_protocol_mode", read)
}

fn check_status(top: &mut Keys, status: &StatusFlags) -> Option<Address> {
    let checked = status.check_company().and_then(|()| status.sinks());
    let address = checked.and_then(|_| status.address());
    match address {
        Ok(address) => address.map(|status| status.address),
        Err(error) => {
            top.fault(&in_keys(&error));
            None
        }
    }
}

/// No two listeners have one name or one address, and none has that of the status.
fn apart(blocks: &mut [Read], status: Option<&Address>) {
    let mut names: Vec<String> = Vec::new();
    let mut taken: Vec<(&'static str, String, Address)> = Vec::new();
    for Read { name, keys, named } in blocks {
        if names.contains(name) {
            keys.fault(&format!(
                "`{name}` is the name of a server and of a client: give one of them another"
            ));
        }
        names.push(name.clone());
        let Some(named) = named else { continue };
        let listen = &named.plan.listen;
        if let Some((kind, other, _)) = taken.iter().find(|(_, _, address)| address.collides(listen)) {
            keys.fault(&format!(
                "listen: {listen} is that of {kind} \"{other}\" already: one socket has one listener"
            ));
        }
        if status.is_some_and(|status| status.collides(listen)) {
            keys.fault(&format!("listen: {listen} is that of the status: one of them needs another"));
        }
        taken.push((named.config.mode(), name.clone(), listen.clone()));
    }
}

/// An error as the file writes it: `allow_uri` where the flag is `--allow-uri`.
fn in_keys(error: &ProxyError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let mut parts = text.split("--");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
        let (flag, rest) = part.split_at(end);
        told.push_str(&flag.replace('-', "_"));
        told.push_str(rest);
    }
    told
}
