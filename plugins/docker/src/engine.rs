//! A container engine that speaks the Docker API over a Unix socket: one request, one bounded answer.

#[cfg(test)]
pub(crate) mod fake;
mod inspection;
#[cfg(test)]
mod tests;

use std::time::Duration;

use finial_attest::{ContainerId, PeerCredentials};
use finial_daemon::Clock;
use futures_util::future::join;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

pub(crate) use self::inspection::Inspection;
use crate::config::{ApiVersion, SocketAddress};
use crate::error::DockerError;

/// How long one question may take, with connecting and the whole answer.
const LIMIT: Duration = Duration::from_secs(3);
/// The largest answer. The environment of a container counts; some 10 KiB are usual.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// An engine, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Engine {
    pub(crate) socket: SocketAddress,
    /// The user whose engine it must be; `None` when the administrator answers for the socket.
    pub(crate) owner: Option<u32>,
}

impl Engine {
    /// What the engine says about a container; none when it does not know it.
    pub(crate) async fn inspect(
        &self,
        id: &ContainerId,
        version: Option<&ApiVersion>,
        clock: &Clock,
    ) -> Result<Option<Inspection>, DockerError> {
        let answer = clock.timeout(LIMIT, self.ask(id, version)).await;
        let answer = answer.map_err(|source| DockerError::Late { socket: self.name(), source })?;
        match answer? {
            (StatusCode::OK, body) => self.read(id, &body).map(Some),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) => {
                Err(DockerError::Refused { socket: self.name(), status: status.as_u16(), id: id.clone() })
            }
        }
    }

    fn read(&self, id: &ContainerId, body: &[u8]) -> Result<Inspection, DockerError> {
        let inspection: Inspection = serde_json::from_slice(body)
            .map_err(|source| DockerError::Malformed { socket: self.name(), id: id.clone(), source })?;
        if inspection.id != id.as_str() {
            return Err(DockerError::OtherContainer { socket: self.name(), id: id.clone() });
        }
        Ok(inspection)
    }

    async fn ask(
        &self,
        id: &ContainerId,
        version: Option<&ApiVersion>,
    ) -> Result<(StatusCode, Bytes), DockerError> {
        let stream = self.connect().await?;
        let handshake = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(error))?;
        let prefix = version.map(|version| format!("/v{version}")).unwrap_or_default();
        let request = Request::get(format!("{prefix}/containers/{id}/json")).header(HOST, "localhost");
        let request = request.body(Empty::new()).map_err(|error| self.broken(error))?;
        let exchange = async move {
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok((head.status, bounded(body).await?))
        };
        // The connection ends once the exchange has let go of it; what became of it, the exchange knows.
        let (answer, _) = join(exchange, connection).await;
        answer.map_err(|error: BoxError| self.broken(error))
    }

    async fn connect(&self) -> Result<UnixStream, DockerError> {
        let unreachable = |source| DockerError::Unreachable { socket: self.name(), source };
        let stream = UnixStream::connect(self.socket.path()).await.map_err(unreachable)?;
        if let Some(owner) = self.owner {
            let found = PeerCredentials::of(&stream).map_err(unreachable)?.uid();
            if found != owner {
                return Err(DockerError::ForeignEngine { socket: self.name(), found, owner });
            }
        }
        Ok(stream)
    }

    fn broken(&self, source: impl Into<BoxError>) -> DockerError {
        DockerError::Broken { socket: self.name(), source: source.into() }
    }

    fn name(&self) -> String {
        self.socket.to_string()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn bounded(body: Incoming) -> Result<Bytes, BoxError> {
    Ok(Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes())
}
