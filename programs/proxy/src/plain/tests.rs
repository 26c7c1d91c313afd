//! What the system is told of connections, and when.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind::{ConnectionRefused, WouldBlock};
use std::net::{SocketAddr, TcpListener as Backend};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use finial_daemon::Clock;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::names::KEPT;
use super::tcp::{KEEPALIVE, Tcp};
use super::{Names, Plain, dial, prepare};
use crate::Address;
use crate::pipe::End;
use crate::proxy::DialError;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn accepted_connections_inherit_that_they_do_not_delay_and_ask_for_life() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    prepare(&listener);
    let address = listener.local_addr().unwrap();
    let (dialled, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let Plain::Tcp(tcp) = Plain::accepted(accepted.unwrap()) else { panic!("another kind of socket") };
    let socket = SockRef::from(tcp.stream());
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    assert_eq!(tcp.remote(), dialled.unwrap().local_addr().unwrap());
}

/// A backend, and a connection to it that was dialled.
async fn dialled() -> (Backend, Tcp) {
    let backend = Backend::bind("127.0.0.1:0").unwrap();
    backend.set_nonblocking(true).unwrap();
    let tcp = Tcp::dial(backend.local_addr().unwrap()).await.unwrap();
    assert!(SockRef::from(tcp.stream()).tcp_nodelay().unwrap());
    (backend, tcp)
}

#[tokio::test]
async fn what_is_said_first_comes_with_the_connection() {
    let (backend, mut tcp) = dialled().await;
    assert_eq!(backend.accept().unwrap_err().kind(), WouldBlock);
    tcp.write_all(b"hello").await.unwrap();
    let (accepted, _) = backend.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    let mut heard = [0; 5];
    std::io::Read::read_exact(&mut &accepted, &mut heard).unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn backend_that_is_to_speak_first_learns_at_once_that_it_is_called() {
    let (backend, mut tcp) = dialled().await;
    let (mut said, mut context) = ([0; 8], Context::from_waker(Waker::noop()));
    let read = Pin::new(&mut tcp).poll_read(&mut context, &mut ReadBuf::new(&mut said));
    assert!(matches!(read, Poll::Pending));
    let (accepted, _) = backend.accept().unwrap();
    std::io::Write::write_all(&mut &accepted, b"220").unwrap();
    let mut heard = [0; 3];
    tcp.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"220");
}

#[tokio::test]
async fn backend_learns_of_a_connection_that_is_aborted_in_silence() {
    let (backend, tcp) = dialled().await;
    let plain = Plain::Tcp(tcp);
    plain.abort_on_close();
    drop(plain);
    let (accepted, _) = backend.accept().unwrap();
    let reset = std::io::Read::read(&mut &accepted, &mut [0]).unwrap_err().kind();
    assert_eq!(reset, std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_is_said_last_comes_with_the_end() {
    let (backend, tcp) = dialled().await;
    let mut plain = Plain::Tcp(tcp);
    plain.write_all(b"first").await.unwrap();
    let (accepted, _) = backend.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    plain.end_with_what_follows();
    plain.write_all(b"last").await.unwrap();
    let mut heard = [0; 16];
    let count = std::io::Read::read(&mut &accepted, &mut heard).unwrap();
    assert_eq!(&heard[..count], b"first");
    assert_eq!(std::io::Read::read(&mut &accepted, &mut heard).unwrap_err().kind(), WouldBlock);
    plain.shutdown().await.unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut &accepted, &mut rest).unwrap();
    assert_eq!(&rest, b"last");
}

#[test]
fn what_a_name_means_is_known_for_a_second_and_no_longer() {
    let address = "127.0.0.1:1".parse().unwrap();
    let names = Names::of("name", &[address]);
    let told = names.recall("name", 2, KEPT - Duration::from_millis(1)).unwrap();
    assert_eq!(told, ["127.0.0.1:2".parse().unwrap()]);
    assert_eq!(names.recall("name", 2, KEPT), None);
    assert_eq!(names.recall("another", 2, Duration::ZERO), None);
}

#[test]
fn address_that_has_answered_comes_first_from_then_on() {
    let [one, two, three] = [1, 2, 3].map(|last| SocketAddr::from(([127, 0, 0, last], 80)));
    let names = Names::of("name", &[one, two, three]);
    names.prefer("name", two);
    assert_eq!(names.recall("name", 80, Duration::ZERO).unwrap(), [two, one, three]);
}

/// A listener at 127.0.0.1, and its port by another name.
fn called(host: &str) -> (Backend, Address) {
    let backend = Backend::bind("127.0.0.1:0").unwrap();
    let port = backend.local_addr().unwrap().port();
    (backend, Address::Tcp { host: host.to_owned(), port })
}

#[tokio::test]
async fn resolver_is_not_asked_for_a_name_that_is_known() {
    let (clock, _hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let unknown = format!("{}.test", "x".repeat(300));
    let (backend, address) = called(&unknown);
    let names = Names::of(&unknown, &[backend.local_addr().unwrap()]);
    dial(&address, &names, (LIMIT, &clock)).await.unwrap();
    backend.accept().unwrap();
    assert!(dial(&address, &Names::default(), (LIMIT, &clock)).await.is_err());
}

#[tokio::test]
async fn name_that_has_moved_is_found_at_once_where_its_old_address_refuses() {
    let (clock, _hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let (backend, address) = called("localhost");
    let names = Names::of("localhost", &["127.0.0.9:1".parse().unwrap()]);
    dial(&address, &names, (LIMIT, &clock)).await.unwrap();
    backend.accept().unwrap();
    // And known there, whatever else the name means.
    let port = backend.local_addr().unwrap().port();
    assert_eq!(names.recall("localhost", port, Duration::ZERO).unwrap()[0], backend.local_addr().unwrap());
}

#[tokio::test]
async fn who_no_longer_listens_at_a_known_name_refuses_as_before() {
    let (clock, _hand) = Clock::manual(SystemTime::UNIX_EPOCH);
    let (backend, address) = called("localhost");
    let names = Names::default();
    dial(&address, &names, (LIMIT, &clock)).await.unwrap();
    drop(backend);
    let refused = dial(&address, &names, (LIMIT, &clock)).await.unwrap_err();
    assert!(matches!(&refused, DialError::Io(error) if error.kind() == ConnectionRefused), "{refused:?}");
}
