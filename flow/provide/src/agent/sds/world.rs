//! StreamSecrets, the state of the world: each request names all that is wanted.

use finial_wire::{EnvoyNode, Secret, SecretRequest, SecretUpdate};
use tonic::Status;

use super::conversation::Dialect;
use super::interest::{Due, Interest};

#[derive(Debug, Default)]
pub(super) struct World {
    /// How many answers went out. The last one's number is its nonce.
    answers: u64,
    /// Whether the last answer was acknowledged or refused.
    is_settled: bool,
    /// Whether any request named anything: before, no name means everything.
    has_named: bool,
}

impl Dialect for World {
    type Request = SecretRequest;
    type Answer = SecretUpdate;

    const TELLS_ABSENCE: bool = false;

    fn node(request: &mut SecretRequest) -> Option<EnvoyNode> {
        request.node.take()
    }

    fn take(&mut self, request: SecretRequest, interest: &mut Interest) -> Result<Option<String>, Status> {
        let SecretRequest { mut names, version, nonce, rejection, .. } = request;
        if self.answers > 0 && nonce != self.answers.to_string() {
            // Sent before the last answer was read. The one about that answer will name all that is wanted.
            tracing::debug!(nonce, "an Envoy's request is about an earlier answer, so it is passed over");
            return Ok(None);
        }
        let is_in_all = names.iter().any(|name| name == "*") || (names.is_empty() && !self.has_named);
        self.has_named |= !names.is_empty();
        names.retain(|name| name != "*");
        let holds_earlier = self.answers == 0 && !version.is_empty();
        interest.replace(names, is_in_all, holds_earlier)?;
        let is_first_word = !std::mem::replace(&mut self.is_settled, true);
        Ok(rejection.filter(|_| is_first_word))
    }

    fn answer(&mut self, due: Due) -> SecretUpdate {
        self.answers += 1;
        self.is_settled = false;
        let secret = |(name, content)| Secret { name, version: String::new(), content };
        SecretUpdate {
            version: self.answers.to_string(),
            secrets: due.secrets.into_iter().map(secret).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
