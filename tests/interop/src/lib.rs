//! Other people's programs against ours: each test puts one of them before a real `finial`.
//!
//! `peers.toml` says where each comes from. A test whose peer is missing says so and is listed as skipped; with
//! `FINIAL_CI=1` it fails. Only container engines and systemd need root: without it their tests are skipped.
//! Nothing listens outside of 127.0.0.1.

#[cfg(test)]
mod authorities;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod envoy;
#[cfg(test)]
mod go_spiffe;
#[cfg(test)]
mod grpcurl;
#[cfg(test)]
mod keystores;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod openssl;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod py_spiffe;
#[cfg(test)]
mod rust_spiffe;
#[cfg(test)]
mod spire_agent;
#[cfg(test)]
mod spire_server;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod web_pki;
