//! Lists and streams that a server would never end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use futures_util::stream::{self, StreamExt};
use tonic::{Code, Status};

use super::{next_page, until_error};
use crate::MAX_LISTED;

#[test]
fn list_ends_with_the_page_that_names_no_next() {
    assert_eq!(next_page("", String::new(), 7).unwrap(), None);
    assert_eq!(next_page("a", "b".to_owned(), 7).unwrap(), Some("b".to_owned()));
}

#[test]
fn server_that_gives_the_same_page_again_is_not_asked_for_ever() {
    let error = next_page("a", "a".to_owned(), 7).unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::Internal, "the server answered a list with the same page again")
    );
}

#[test]
fn list_of_more_than_anybody_has_is_given_up() {
    assert!(next_page("a", "b".to_owned(), MAX_LISTED).is_ok());
    let error = next_page("a", "b".to_owned(), MAX_LISTED + 1).unwrap_err();
    assert_eq!(
        error.message(),
        "the server's answer is malformed: 2000001 items of a list sent; at most 2000000 are allowed, send fewer at a time"
    );
}

#[tokio::test]
async fn stream_that_fails_is_over_though_it_would_fail_for_ever() {
    let mut left = 3;
    let fails = stream::repeat_with(move || {
        left -= 1;
        if left > 0 { Ok(left) } else { Err(Status::internal("failed to decode")) }
    });
    let heard: Vec<_> = until_error(fails).take(100).collect().await;
    assert_eq!(heard.len(), 3);
    assert_eq!((heard[0].as_ref().unwrap(), heard[1].as_ref().unwrap()), (&2, &1));
    assert_eq!(heard[2].as_ref().unwrap_err().code(), Code::Internal);
}
