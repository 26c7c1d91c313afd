//! DeltaSecrets: each request says what is wanted in addition, or no longer.

use finial_wire::{EnvoyNode, Secret, SecretDelta, SecretDeltaRequest};
use tonic::Status;

use super::content::version;
use super::conversation::Dialect;
use super::interest::{Due, Interest};

#[derive(Debug, Default)]
pub(super) struct Delta {
    has_begun: bool,
    /// How many answers went out. The last one's number is its nonce.
    answers: u64,
    /// The last answer that was refused, so that it is told once.
    refused: u64,
}

impl Dialect for Delta {
    type Request = SecretDeltaRequest;
    type Answer = SecretDelta;

    const TELLS_ABSENCE: bool = true;

    fn node(request: &mut SecretDeltaRequest) -> Option<EnvoyNode> {
        request.node.take()
    }

    fn take(
        &mut self,
        request: SecretDeltaRequest,
        interest: &mut Interest,
    ) -> Result<Option<String>, Status> {
        let SecretDeltaRequest { mut subscribe, unsubscribe, held, nonce, rejection, .. } = request;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if subscribe.iter().any(|name| name == "*") || (is_first && subscribe.is_empty()) {
            interest.subscribe_to_all();
        }
        subscribe.retain(|name| name != "*");
        interest.unsubscribe(&unsubscribe);
        interest.subscribe(subscribe)?;
        if is_first {
            interest.holds(held)?;
        }
        // Unlike in the state of the world, wishes count whatever answer they come with.
        let refused = nonce.parse().ok().filter(|number| (self.refused + 1..=self.answers).contains(number));
        let (Some(refused), Some(rejection)) = (refused, rejection) else { return Ok(None) };
        self.refused = refused;
        Ok(Some(rejection))
    }

    fn answer(&mut self, due: Due) -> SecretDelta {
        self.answers += 1;
        let secret = |(name, content)| Secret { name, version: version(&content), content };
        SecretDelta {
            version: self.answers.to_string(),
            secrets: due.secrets.into_iter().map(secret).collect(),
            removed: due.absent,
        }
    }
}

#[cfg(test)]
mod tests;
