//! Asks PostgreSQL who we are: `query "host=127.0.0.1 user=app dbname=postgres" spiffe://example.org/database`

use anyhow::Context;
use finial::{Clock, SpiffeId, Tasks, Workload};
use finial_postgres::{Connector, PoolSettings, Server, pool};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let config = args.next().context("the first argument is where PostgreSQL is")?.parse()?;
    let database = args.next().context("the second argument is the SPIFFE ID of PostgreSQL")?;

    let workload = Workload::connect().await?;
    let connector = Connector::new(workload.source(), Server::id(SpiffeId::parse(database)?));
    let pool = pool(&connector, &config, PoolSettings::default(), &Tasks::new(Clock::system()));

    let client = pool.get().await?;
    client.simple_query("").await.context("ping")?;
    let query = "SELECT usename::text, version, client_dn \
                 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()";
    let row = client.query_one(query, &[]).await.context("query")?;
    let (user, version, subject): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
    println!("{} is the user {user}, over {version}, as {subject}", workload.id()?);
    Ok(())
}
