//! The second stage of the flow, authorize: what may they be, or do?
//!
//! Questions, each answered from memory, by plain functions that record nothing:
//!
//! | question | asked by | answer |
//! |---|---|---|
//! | may this caller call this method? | [`Authorizer::authorize`], by the table [`METHODS`] | a [`Permit`], or a [`Denial`] |
//! | which SVID may be made? | [`Grant`]'s constructors | a [`Grant`], used up by the issuer |
//! | may this process ask in the name of others? | [`Delegates::authorize`] | a [`Delegation`], or a [`Denial`] |
//! | which entries are this agent's, this workload's? | [`authorized_entries`], [`matching_entries`] | the entries |
//! | whom does a change concern? | [`Concern::between`] | the agents to wake |
//!
//! Nothing is allowed that is not listed, and nobody is who they do not prove to be: every answer takes a proof of the
//! stage before ([`Caller`](finial_attest::Caller), [`AttestedNode`](finial_attest::AttestedNode),
//! [`AttestedProcess`](finial_attest::AttestedProcess)), and permits and grants are made only here.

mod authorizer;
mod concern;
mod delegate;
mod denial;
mod grant;
mod matching;
mod methods;
mod permit;
mod scope;
#[cfg(test)]
mod testing;

pub use authorizer::Authorizer;
pub use concern::{Concern, Concerned};
pub use delegate::{Delegates, Delegation};
pub use denial::Denial;
pub use grant::{Grant, GrantKind, MintRequest};
pub use matching::matching_entries;
pub use methods::{METHODS, Method, Who};
pub use permit::Permit;
pub use scope::authorized_entries;
