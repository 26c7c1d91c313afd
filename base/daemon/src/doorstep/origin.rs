//! Where callers come from, in so far as one party can be told from another.

use std::net::{IpAddr, Ipv4Addr};

/// Where a caller comes from. Of IPv6 the network: one party has as many addresses in it as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The address.
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6([u16; 4]),
    /// By a Unix socket, from a process of this user.
    User(u32),
    /// By a Unix socket, whoever it is.
    ThisMachine,
}

impl Origin {
    /// Of a caller by TCP.
    pub fn of(address: IpAddr) -> Self {
        // A socket for both families shows IPv4 addresses inside of IPv6.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}
