//! What a supervisor such as systemd is told of the helper.

use finial_daemon::{Clock, Drain, Supervisor, go};

use super::{State, Vitals};

/// Tells a supervisor that the helper is ready once everything was written, and from then on how it is.
#[derive(Debug)]
pub(crate) struct Announcer {
    supervisor: Supervisor,
    vitals: Vitals,
}

/// What a supervisor is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Ready(String),
    Status(String),
}

impl Announcer {
    pub(crate) fn new(supervisor: Supervisor, vitals: Vitals) -> Self {
        Self { supervisor, vitals }
    }

    /// Tells, and gives signs of life, until the end is requested.
    pub(crate) async fn run(self, clock: Clock, drain: Drain) {
        tokio::select! {
            () = self.supervisor.keep_alive(&clock) => {}
            () = self.tell() => {}
            () = drain.requested() => {}
        }
    }

    /// Never resolves.
    async fn tell(&self) {
        let mut changes = self.vitals.state.subscribe();
        let mut told = None;
        loop {
            let news = next(&mut told, &changes.borrow_and_update());
            match news {
                Some(News::Ready(status)) => self.supervisor.ready(&status),
                Some(News::Status(status)) => self.supervisor.status(&status),
                None => {}
            }
            // The sender lives in `self`, so that this cannot fail.
            let _ = changes.changed().await;
        }
    }
}

/// What there is to tell after what was `told`, nothing before everything was written.
pub(super) fn next(told: &mut Option<String>, state: &State) -> Option<News> {
    if told.is_none() && !state.is_complete() {
        return None;
    }
    let status = status(state);
    let last = told.replace(status.clone());
    match last {
        None => Some(News::Ready(status)),
        Some(last) if last != status => Some(News::Status(status)),
        Some(_) => None,
    }
}

/// The worst first; else until when all is well.
fn status(state: &State) -> String {
    if let Some(output) = state.outputs.iter().find(|output| output.has_failed()) {
        return format!("{} cannot be written", output.file.display());
    }
    if let Some(hook) = state.hooks.iter().find(|hook| hook.has_failed()) {
        return format!("hook {} fails", hook.name);
    }
    if let Some(command) = state.commands.iter().find(|command| command.has_failed()) {
        return format!("command {} has failed", command.name);
    }
    match state.outputs.iter().filter_map(|output| output.expires).min() {
        Some(expires) => {
            format!("everything is written; the first expires at {}", go::format_rfc3339(expires))
        }
        None => "everything is written".to_owned(),
    }
}
