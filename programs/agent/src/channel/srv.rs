//! SRV records (RFC 2782): DNS says which servers there are, in which order, and with which share.

#[cfg(test)]
mod tests;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;

use crate::config::{MAX_SERVERS, ServerAddress};

/// Asks the resolvers of this machine, as they are configured now. Nothing is kept: a connection is rarely made.
pub(super) async fn look_up(name: &str) -> Result<Vec<ServerAddress>, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    builder.options_mut().cache_size = 0;
    ask(&builder.build()?, name).await
}

async fn ask(resolver: &TokioResolver, name: &str) -> Result<Vec<ServerAddress>, NetError> {
    let answer = resolver.srv_lookup(name).await?;
    let records = answer.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(record) => Some(record.clone()),
        _ => None,
    });
    Ok(ordered(records.take(MAX_SERVERS).collect(), |sum| fastrand::u32(0..=sum)))
}

/// By priority, and within one by chance: the chance of each to be next is its weight in those that are left.
/// `chance` gives a number from zero to its argument.
fn ordered(mut records: Vec<SRV>, chance: impl Fn(u32) -> u32) -> Vec<ServerAddress> {
    // A root as target says that there is no such service here.
    records.retain(|record| !record.target.is_root() && record.port != 0);
    // Those without weight come first in their priority, so that they have a chance at all.
    records.sort_by_key(|record| (record.priority, record.weight > 0));
    let mut servers = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let peers = records.iter().take_while(|record| record.priority == priority);
        let sum = peers.clone().map(|record| u32::from(record.weight)).sum();
        let mark = chance(sum);
        let mut running = 0;
        let chosen = peers.into_iter().position(|record| {
            running += u32::from(record.weight);
            running >= mark
        });
        let record = records.remove(chosen.unwrap_or_default());
        let host = record.target.to_ascii();
        servers.push(ServerAddress { host: host.trim_end_matches('.').to_owned(), port: record.port });
    }
    servers
}
