//! What is told of a refusal, whatever language the server speaks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::error::Error as _;

use crate::fixtures::{APP, Behaviour, DATABASE, World};
use crate::{Connector, Error, Server};

const CERTIFICATE: (&str, &str, &str) =
    ("28000", "Zertifikatauthentifizierung für Benutzer »app« fehlgeschlagen", "auth_failed");
const ENTRY: (&str, &str, &str) = ("28000", "kein pg_hba.conf-Eintrag", "ClientAuthentication");

async fn refused(world: &World, refusal: (&'static str, &'static str, &'static str)) -> Error {
    let server = world.server_that(Behaviour { refusal: Some(refusal), ..Behaviour::default() }).await;
    let connector = Connector::new(&world.source, Server::id(DATABASE.parse().unwrap()));
    connector.connect(&server.config()).await.err().unwrap()
}

#[tokio::test]
async fn svid_without_a_common_name_is_told_how_it_gets_one() {
    let error = refused(&World::new(), CERTIFICATE).await;
    assert_eq!(
        error.to_string(),
        "PostgreSQL does not let spiffe://example.org/app be the user `app`: its SVID has no common name; give the entry \
         a DNS name (`finial entry create … -dns app`), the first of which becomes the common name, or map the subject \
         `O=Finial tests` to `app` by clientname=DN in pg_hba.conf and a line of pg_ident.conf"
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn other_common_name_is_named() {
    let world = World::new();
    world.writer.publish(vec![world.named(APP, &["web", "www"])], world.authority.bundles()).unwrap();
    let error = refused(&world, CERTIFICATE).await;
    assert_eq!(
        error.to_string(),
        "PostgreSQL does not let spiffe://example.org/app be the user `app`: the common name of its SVID is `web`; call \
         the user so, or map that name, or with clientname=DN the subject `CN=web,O=Finial tests`, to `app` in \
         pg_ident.conf"
    );
}

#[tokio::test]
async fn missing_line_of_pg_hba_is_written_out() {
    let error = refused(&World::new(), ENTRY).await;
    assert_eq!(
        error.to_string(),
        "pg_hba.conf lets nobody be the user `app` over TLS from here: add a line as `hostssl shop app samenet cert`"
    );
}

#[tokio::test]
async fn refusals_of_another_kind_are_the_servers() {
    for code in ["28P01", "3D000", "53300"] {
        let error = refused(&World::new(), (code, "no", "auth_failed")).await;
        assert!(matches!(&error, Error::Postgres(_)), "{code}: {error:?}");
        assert!(error.source().unwrap().source().unwrap().to_string().contains("no"), "{error:?}");
    }
}
