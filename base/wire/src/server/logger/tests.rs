//! The Logger services from client to server and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tonic::{Code, Extensions, Status};

use super::{LoggerApi, agent_logger_service, server_logger_service};
use crate::client::LoggerClient;
use crate::harness::served;
use crate::proto::agent_logger::SetLogLevelRequest;
use crate::proto::agent_logger::logger_client::LoggerClient as Stub;
use crate::{LogLevel, LogLevels};

struct Fake(Mutex<LogLevel>);

#[async_trait]
impl LoggerApi for Fake {
    async fn log_levels(&self, _: &Extensions) -> Result<LogLevels, Status> {
        Ok(LogLevels { current: *self.0.lock().unwrap(), launch: LogLevel::Info })
    }

    async fn set_log_level(&self, ctx: &Extensions, level: LogLevel) -> Result<LogLevels, Status> {
        *self.0.lock().unwrap() = level;
        self.log_levels(ctx).await
    }

    async fn reset_log_level(&self, ctx: &Extensions) -> Result<LogLevels, Status> {
        self.set_log_level(ctx, LogLevel::Info).await
    }
}

fn fake() -> Arc<Fake> {
    Arc::new(Fake(Mutex::new(LogLevel::Info)))
}

async fn is_set_and_reset(client: LoggerClient) {
    use LogLevel::{Debug, Error, Fatal, Info, Panic, Trace, Warn};
    for level in [Panic, Fatal, Error, Warn, Info, Debug, Trace] {
        let levels = client.set_log_level(level).await.unwrap();
        assert_eq!(levels, LogLevels { current: level, launch: Info });
        assert_eq!(client.log_levels().await.unwrap(), levels);
    }
    assert_eq!(client.reset_log_level().await.unwrap(), LogLevels { current: Info, launch: Info });
}

#[tokio::test]
async fn level_is_set_and_reset_on_an_agent() {
    served(agent_logger_service(fake()), async |channel| {
        is_set_and_reset(LoggerClient::agent(channel)).await;
    })
    .await;
}

#[tokio::test]
async fn level_is_set_and_reset_on_a_server() {
    served(server_logger_service(fake()), async |channel| {
        is_set_and_reset(LoggerClient::server(channel)).await;
    })
    .await;
}

#[tokio::test]
async fn level_must_be_named_and_known() {
    served(agent_logger_service(fake()), async |channel| {
        let mut stub = Stub::new(channel);
        for (new_level, text) in
            [(0, "newLevel value cannot be LogLevel_UNSPECIFIED"), (8, "unknown log level: 8")]
        {
            let error = stub.set_log_level(SetLogLevelRequest { new_level }).await.unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::InvalidArgument, text));
        }
    })
    .await;
}

#[test]
fn levels_are_read_in_any_case_and_written_as_spire_does() {
    for (text, level, written) in [
        ("PANIC", LogLevel::Panic, "panic"),
        ("Warn", LogLevel::Warn, "warning"),
        ("warning", LogLevel::Warn, "warning"),
        ("trace", LogLevel::Trace, "trace"),
    ] {
        assert_eq!(text.parse::<LogLevel>().unwrap(), level);
        assert_eq!(level.to_string(), written);
    }
    let error = "loud".parse::<LogLevel>().unwrap_err().to_string();
    assert!(error.starts_with("unknown log level `loud`: use panic"), "{error}");
}
