//! What gRPC's C core (Python, C++, Ruby, PHP) calls a Unix socket, made into an authority on its way in.
//!
//! It sends the escaped path, as in `:authority: run%2Ffinial%2Fagent.sock`. A name with `%` in it is no authority to
//! our HTTP/2 stack, which resets the stream before any service sees it. On a Unix socket nobody reads the authority, so
//! each `%` in it becomes a `-`. No length changes, and so neither do frames nor HPACK's table (RFC 7541 §4.1).

#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Of a client's connection (RFC 9113 §3.4).
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
/// The name with its length, not Huffman coded (RFC 7541 §5.2): how the C core writes it.
const NAME: &[u8] = b"\x0a:authority";

/// A connection on a Unix socket, as our HTTP/2 stack understands it.
#[derive(Debug)]
pub struct MendedAuthority<S> {
    stream: S,
    filter: AuthorityFilter,
}

impl<S> MendedAuthority<S> {
    /// Of a connection from which nothing has been read yet.
    pub fn new(stream: S) -> Self {
        Self { stream, filter: AuthorityFilter::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MendedAuthority<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.filter.pass(&mut buf.filled_mut()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MendedAuthority<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Follows the frames that a client sends on one connection, in whatever pieces they come.
#[derive(Debug)]
struct AuthorityFilter {
    state: State,
}

#[derive(Debug)]
enum State {
    Preface { left: usize },
    FrameHeader { bytes: [u8; FRAME_HEADER], read: usize },
    Payload { left: usize, search: Option<Search> },
}

/// Where in a block of headers we are.
#[derive(Clone, Copy, Debug)]
enum Search {
    Name { matched: usize },
    Length,
    LongLength { so_far: usize, shift: u32 },
    Value { left: usize },
}

const NEXT_FRAME: State = State::FrameHeader { bytes: [0; FRAME_HEADER], read: 0 };
const NOTHING_YET: Search = Search::Name { matched: 0 };

impl Default for AuthorityFilter {
    /// At the beginning of a connection.
    fn default() -> Self {
        Self { state: State::Preface { left: PREFACE } }
    }
}

impl AuthorityFilter {
    /// Mends the next bytes of the connection in place.
    fn pass(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.step(byte);
        }
    }

    fn step(&mut self, byte: &mut u8) {
        match &mut self.state {
            State::Preface { left } => {
                *left -= 1;
                if *left == 0 {
                    self.state = NEXT_FRAME;
                }
            }
            State::FrameHeader { bytes, read } => {
                bytes[*read] = *byte;
                *read += 1;
                if *read == FRAME_HEADER {
                    self.state = State::after_header(*bytes);
                }
            }
            State::Payload { left, search } => {
                *search = search.map(|search| search.after(byte));
                *left -= 1;
                if *left == 0 {
                    self.state = NEXT_FRAME;
                }
            }
        }
    }
}

impl State {
    fn after_header([high, middle, low, kind, ..]: [u8; FRAME_HEADER]) -> Self {
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        match length {
            0 => NEXT_FRAME,
            left => Self::Payload { left, search: (kind == HEADERS).then_some(NOTHING_YET) },
        }
    }
}

impl Search {
    fn after(self, byte: &mut u8) -> Self {
        match self {
            Self::Name { matched } if *byte == NAME[matched] && matched + 1 == NAME.len() => Self::Length,
            Self::Name { matched } if *byte == NAME[matched] => Self::Name { matched: matched + 1 },
            Self::Name { .. } => Self::Name { matched: usize::from(*byte == NAME[0]) },
            Self::Length => match *byte {
                left @ 1..0x7f => Self::Value { left: left.into() },
                0x7f => Self::LongLength { so_far: 0x7f, shift: 0 },
                // Empty, or Huffman coded, as other clients write a name that is in order.
                _ => NOTHING_YET,
            },
            Self::LongLength { so_far, shift } => {
                let so_far = so_far + (usize::from(*byte & 0x7f) << shift);
                match *byte & 0x80 {
                    0 => Self::Value { left: so_far },
                    _ if shift < 14 => Self::LongLength { so_far, shift: shift + 7 },
                    _ => NOTHING_YET,
                }
            }
            Self::Value { left } => {
                if *byte == b'%' {
                    *byte = b'-';
                }
                if left == 1 { NOTHING_YET } else { Self::Value { left: left - 1 } }
            }
        }
    }
}
