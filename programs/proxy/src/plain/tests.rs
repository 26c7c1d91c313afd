//! What the system is told of connections.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::{KEEPALIVE, Plain, prepare};

#[tokio::test]
async fn accepted_connections_inherit_that_they_do_not_delay_and_ask_for_life() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    prepare(&listener);
    let address = listener.local_addr().unwrap();
    let (dialled, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let Plain::Tcp(stream) = Plain::accepted(accepted.unwrap().0) else { panic!("another kind of socket") };
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    drop(dialled);
}
