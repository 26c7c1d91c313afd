//! Who gets in and as whom, who does not, and what is said then.

use std::process::Command;
use std::sync::Arc;

use finial_postgres::{Connector, Error, Presented, Server};
use finial_receive::Source;
use finial_testkit::{example, run, until};
use finial_tls::TlsError;

use super::{APP, BY_COMMON_NAME, Ground, create};

const WHO: &str = "SELECT usename::text, client_dn, client_serial::text, version \
                   FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workload_is_the_user_of_its_common_name_and_pg_stat_ssl_shows_its_svid() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let client = ground.connect(&ground.connector(), &ground.config()).await.expect("a connection");
    let row = client.query_one(WHO, &[]).await.expect("a row");
    let svid = ground.source.credential().expect("an SVID");
    assert_eq!(row.get::<_, &str>(0), "app");
    assert!(row.get::<_, &str>(1).contains("/CN=app"), "{row:?}");
    assert_eq!(row.get::<_, &str>(2), svid.svid().serial_number());
    assert_eq!(row.get::<_, &str>(3), "TLSv1.3");

    // A query is cancelled over a connection of the same kind.
    let (token, connector) = (client.cancel_token(), ground.connector());
    let slow = client.batch_execute("SELECT pg_sleep(60)");
    let cancel = async {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active' \
                     AND usename = 'app'";
        until("slow query", || (ground.postgres.ask(query) == "1").then_some(()));
        token.cancel_query(connector).await.expect("a second connection");
    };
    let (cancelled, ()) = tokio::join!(slow, cancel);
    assert_eq!(cancelled.unwrap_err().code().expect("the server's word").code(), "57014");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_asks_who_it_is() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    create(&ground.dev, "query", "spiffe://example.org/query", &example("query"), &["app"]);
    let mut query = Command::new(example("query"));
    query.arg(format!("host=127.0.0.1 port={} user=app dbname=postgres", ground.postgres.port()));
    query.arg(super::DATABASE).env("SPIFFE_ENDPOINT_SOCKET", ground.dev.endpoint());
    let said = run(&mut query).expect_success();
    let start = "spiffe://example.org/query is the user app, over TLSv1.3, as ";
    assert!(said.starts_with(start) && said.contains("CN=app"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_with_our_files_is_the_same_user() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let libpq = ground.libpq("libpq");
    let row = ground.psql(&libpq.settings(), WHO).expect_success();
    assert!(row.starts_with("app|") && row.contains("/CN=app"), "{row}");
    let refused = ground.psql(&libpq.trust(), "SELECT 1");
    assert!(refused.stderr.contains("connection requires a valid client certificate"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_and_the_common_name_is_told() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let refusal = ground.refusal(&ground.connector(), ground.config().user("other")).await;
    let text = refusal.to_string();
    assert!(text.contains("be the user `other`: the common name of its SVID is `app`"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svid_without_a_common_name_is_refused_with_what_to_change_until_its_subject_is_mapped() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    ground.rename("app", &[]);
    until("SVID without a name", || ground.common_name().is_none().then_some(()));
    let refusal = ground.refusal(&ground.connector(), &ground.config()).await;
    let text = refusal.to_string();
    assert!(text.contains("give the entry a DNS name (`finial entry create … -dns app`)"), "{text}");
    let Error::UserRefused { presented, .. } = refusal else { panic!("{refusal:?}") };
    let Presented { id, subject, .. } = *presented;
    assert_eq!(id.as_str(), APP);

    // The subject as the error tells it, as far as PostgreSQL writes it in the same words.
    let organization = subject.split(',').find(|part| part.starts_with("O=")).expect("an organization");
    let maps = format!("workloads \"/^(.*,)?{organization}(,.*)?$\" app\n");
    let doors = "hostssl all all 127.0.0.1/32 cert clientname=DN map=workloads";
    let Some(mapped) = Ground::new(doors, &maps).await else { return };
    mapped.rename("app", &[]);
    until("SVID without a name", || mapped.common_name().is_none().then_some(()));
    let client = mapped.connect(&mapped.connector(), &mapped.config()).await.expect("a connection");
    assert_eq!(client.query_one(WHO, &[]).await.expect("a row").get::<_, &str>(0), "app");
    let refusal = mapped.refusal(&mapped.connector(), mapped.config().user("other")).await;
    assert!(matches!(refusal, Error::UserRefused { .. }), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_presents_nothing_is_told_to_get_an_entry() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let (writer, anonymous) = Source::channel(ground.source.clock());
    writer.publish_anonymous(ground.source.bundles().expect("bundles"));
    let connector = Connector::new(&anonymous, Server::id(super::DATABASE.parse().expect("an ID")));
    let refusal = ground.refusal(&connector, &ground.config()).await;
    assert!(matches!(refusal, Error::NoCertificate(_)), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_line_lets_a_workload_in_the_line_is_told() {
    let Some(ground) = Ground::new("hostssl all other 127.0.0.1/32 cert", "").await else { return };
    let refusal = ground.refusal(&ground.connector(), &ground.config()).await;
    assert!(matches!(refusal, Error::NoRule { .. }), "{refusal:?}");
    assert!(refusal.to_string().ends_with("`hostssl postgres app samenet cert`"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_is_who_was_wanted_by_id_and_by_host() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let other = Server::id("spiffe://example.org/other".parse().expect("an ID"));
    let refusal = ground.refusal(&Connector::new(&ground.source, other), &ground.config()).await;
    assert_eq!(
        refusal.to_string(),
        "the server is spiffe://example.org/database; wanted is spiffe://example.org/other"
    );

    let by_host = Connector::new(&ground.source, Server::by_host());
    ground.connect(&by_host, &ground.config()).await.expect("a server of this name");
    let mut elsewhere = finial_postgres::tokio_postgres::Config::new();
    elsewhere.host("elsewhere.example.org").hostaddr([127, 0, 0, 1].into()).port(ground.postgres.port());
    let refusal = ground.refusal(&by_host, elsewhere.user("app")).await;
    let text = refusal.to_string();
    assert!(text.contains("db.example.org, localhost; wanted is elsewhere.example.org"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workload_of_another_trust_domain_and_server_of_one_are_strangers() {
    let Some(ground) = Ground::new(BY_COMMON_NAME, "").await else { return };
    let Some(stranger) = Ground::new(BY_COMMON_NAME, "").await else { return };
    // Its bundle has another authority of the same name.
    let refusal = ground.refusal(&ground.connector(), &stranger.config()).await;
    assert!(matches!(refusal, Error::Tls(TlsError::Untrusted(_))), "{refusal:?}");

    // It trusts the server, which does not trust it.
    let foreign = stranger.source.credential().expect("a credential");
    let domain = foreign.svid().id().trust_domain();
    let [ours, theirs] =
        [&ground, &stranger].map(|it| it.source.bundles().expect("bundles").bundle(&domain).cloned());
    let mut both = (*ours.expect("a bundle")).clone();
    both.x509_authorities.extend(theirs.expect("a bundle").x509_authorities.iter().cloned());
    let (writer, source) = Source::channel(ground.source.clock());
    writer.publish(vec![(*foreign).clone()], [Arc::new(both)].into_iter().collect()).expect("a set");
    let connector = Connector::new(&source, Server::id(super::DATABASE.parse().expect("an ID")));
    let refusal = ground.refusal(&connector, &ground.config()).await;
    assert!(matches!(refusal, Error::CertificateRefused { presented: Some(_), .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("ssl_ca_file"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_tls_is_told_to_have_it() {
    let Some(ground) = Ground::new("host all all 127.0.0.1/32 trust", "").await else { return };
    ground.postgres.ask("ALTER SYSTEM SET ssl = off");
    ground.postgres.reload();
    let refusal = ground.refusal(&ground.connector(), &ground.config()).await;
    assert!(matches!(refusal, Error::ServerWithoutTls(_)), "{refusal:?}");
}
