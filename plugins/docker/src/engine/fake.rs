//! A container engine for tests, which answers what it is told to, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use finial_daemon::{Clock, Tasks};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::config::SocketAddress;

/// Serves one answer for each connection.
pub(crate) struct FakeEngine {
    folder: TempDir,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: Tasks,
}

/// What the engine does with a question.
pub(crate) enum Answer {
    /// An HTTP status and a body.
    Says(u16, String),
    /// Bytes, and then the end of the connection.
    Writes(Vec<u8>),
    /// Nothing, for ever.
    Hangs,
}

impl FakeEngine {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let (answers, requests) = (Arc::new(Mutex::new(answers.into_iter().collect())), Arc::default());
        let tasks = Tasks::new(Clock::system());
        tasks.spawn("engine", serve(listener, Arc::clone(&answers), Arc::clone(&requests)));
        Self { folder, answers, requests, _tasks: tasks }
    }

    pub(crate) fn socket(&self) -> SocketAddress {
        format!("unix://{}", self.folder.path().join("engine.sock").display()).parse().unwrap()
    }

    /// The path of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }
}

async fn serve(
    listener: UnixListener,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut silent = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let head = head(&mut stream).await;
        requests.lock().unwrap().push(head.split(' ').nth(1).unwrap_or_default().to_owned());
        let answer = answers.lock().unwrap().pop_front();
        let bytes = match answer {
            Some(Answer::Says(status, body)) => {
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
            }
            Some(Answer::Writes(bytes)) => bytes,
            Some(Answer::Hangs) | None => {
                silent.push(stream);
                continue;
            }
        };
        // Who asks may have had enough.
        let _ = stream.write_all(&bytes).await;
    }
}

async fn head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}
