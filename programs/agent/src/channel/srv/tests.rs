//! SRV records, ordered and asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

use super::{ask, ordered};

fn record(priority: u16, weight: u16, target: &str) -> SRV {
    SRV::new(priority, weight, 8081, Name::from_ascii(target).unwrap())
}

fn hosts(records: Vec<SRV>, chance: impl Fn(u32) -> u32) -> Vec<String> {
    ordered(records, chance).into_iter().map(|server| server.host).collect()
}

#[test]
fn lower_priorities_come_first() {
    let records = vec![record(20, 0, "c."), record(10, 0, "b."), record(0, 0, "a.")];
    assert_eq!(hosts(records, |_| 0), ["a", "b", "c"]);
}

#[test]
fn within_a_priority_the_chance_falls_on_the_running_sum_of_weights() {
    let records = || vec![record(0, 10, "a."), record(0, 60, "b."), record(0, 30, "c.")];
    assert_eq!(hosts(records(), |sum| sum), ["c", "b", "a"]);
    assert_eq!(hosts(records(), |sum| sum / 2), ["b", "c", "a"]);
    assert_eq!(hosts(records(), |_| 1), ["a", "b", "c"]);
}

#[test]
fn a_record_without_weight_has_a_small_chance() {
    let records = || vec![record(0, 10, "a."), record(0, 0, "b.")];
    assert_eq!(hosts(records(), |_| 0), ["b", "a"]);
    assert_eq!(hosts(records(), |sum| sum), ["a", "b"]);
}

#[test]
fn a_record_that_says_that_there_is_no_service_is_no_server() {
    assert_eq!(hosts(vec![record(0, 0, ".")], |_| 0), Vec::<String>::new());
}

/// Answers one question over UDP with these records, whatever the name.
async fn answer(socket: UdpSocket, records: Vec<SRV>) {
    let mut bytes = [0; 512];
    let (length, asker) = socket.recv_from(&mut bytes).await.unwrap();
    let mut message = Message::from_vec(&bytes[..length]).unwrap();
    let name = message.queries[0].name().clone();
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = ResponseCode::NoError;
    message.answers =
        records.into_iter().map(|srv| Record::from_rdata(name.clone(), 60, RData::SRV(srv))).collect();
    socket.send_to(&message.to_vec().unwrap(), asker).await.unwrap();
}

fn resolver(address: SocketAddr) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap()
}

#[tokio::test]
async fn servers_are_read_from_the_answer_of_a_name_server() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let resolver = resolver(socket.local_addr().unwrap());
    let records = vec![record(1, 0, "b.example.org."), record(0, 0, "a.example.org.")];
    let (servers, ()) = tokio::join!(ask(&resolver, "_spire._tcp.example.org."), answer(socket, records));
    let servers: Vec<String> = servers.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["a.example.org:8081", "b.example.org:8081"]);
}
