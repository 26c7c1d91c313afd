//! That nothing is lost or held back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{Pool, ReadAhead};

#[tokio::test]
async fn much_arrives_whole_by_little_reads() {
    let sent: Vec<u8> = (0..500_000_u32).map(|index| (index % 251) as u8).collect();
    let (near, mut far) = duplex(100_000);
    let mut ahead = ReadAhead::new(near, &Pool::new());
    let writing = async {
        far.write_all(&sent).await.unwrap();
        drop(far);
    };
    let reading = async {
        let (mut came, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match ahead.read(&mut piece).await.unwrap() {
                0 => return came,
                count => came.extend_from_slice(&piece[..count]),
            }
        }
    };
    let ((), came) = tokio::join!(writing, reading);
    assert!(came == sent, "{} bytes came, which are others", came.len());
    assert!(ahead.held.is_none());
}

#[tokio::test]
async fn little_is_not_waited_for() {
    let (near, mut far) = duplex(100_000);
    let mut ahead = ReadAhead::new(near, &Pool::new());
    // All that was asked for came, so that more is looked for, and is not there.
    far.write_all(&[1; 8]).await.unwrap();
    ahead.read_exact(&mut [0; 8]).await.unwrap();
    far.write_all(&[2; 3]).await.unwrap();
    let mut rest = [0; 8];
    assert_eq!(ahead.read(&mut rest).await.unwrap(), 3);
    assert_eq!(rest[..3], [2; 3]);
}
