//! The proof that a caller may call a method.

use std::sync::Arc;

use finial_identity::{Node, SpiffeId};
use finial_store::Snapshot;

use crate::Who;

/// The proof that a call is allowed, and on which ground. Made by [`Authorizer`](crate::Authorizer) alone.
///
/// It is about one call: it does not outlive what it was decided from.
#[derive(Clone, Debug)]
pub struct Permit {
    who: Who,
    caller: Option<SpiffeId>,
    agent: Option<AgentStanding>,
}

/// An agent as it was found when its call was allowed.
#[derive(Clone, Debug)]
pub(crate) struct AgentStanding {
    pub(crate) node: Arc<Node>,
    pub(crate) presents_new_serial: bool,
    /// Whether the index knew it, or else only the primary.
    pub(crate) was_indexed: bool,
}

impl Permit {
    pub(crate) fn new(who: Who, caller: Option<SpiffeId>) -> Self {
        Self { who, caller, agent: None }
    }

    pub(crate) fn agent(caller: SpiffeId, standing: AgentStanding) -> Self {
        Self { who: Who::Agent, caller: Some(caller), agent: Some(standing) }
    }

    /// The ground on which the call is allowed.
    pub fn who(&self) -> Who {
        self.who
    }

    /// The SPIFFE ID that the caller proved, on whatever ground it was allowed.
    pub fn caller_id(&self) -> Option<&SpiffeId> {
        self.caller.as_ref()
    }

    /// The agent's node, when the call is allowed because an agent makes it.
    pub fn node(&self) -> Option<&Arc<Node>> {
        self.agent.as_ref().map(|agent| &agent.node)
    }

    /// The node as the index has it now. An agent that it knew and knows no more, or that is banned by now, has none: the call
    /// may have waited.
    pub(crate) fn node_now<'a>(&'a self, snapshot: &'a Snapshot) -> Option<&'a Arc<Node>> {
        let AgentStanding { node, was_indexed, .. } = self.agent.as_ref()?;
        snapshot.node(&node.id).or((!was_indexed).then_some(node)).filter(|node| !node.is_banned())
    }

    /// The agent has shown the renewed SVID of its node for the first time: record its
    /// [`new_serial_number`](Node::new_serial_number) as the current one, as a step of its own, before answering.
    pub fn presents_new_serial(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.presents_new_serial)
    }
}
