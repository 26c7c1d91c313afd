//! Lists that a server would never end.

use tonic::Code;

use super::next_page;
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
