//! Following a backup or a restore that a deployment works on: events, or questions where events do not come through.

use super::Deployment;
use super::client::Repeat;
use crate::args::Common;
use crate::progress::{self, Style};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::Method;
use reqwest::header::ACCEPT;
use rovodev::core::progress::Event;
use rovodev::error::{Class, Code, Error, Result};
use rovodev::tasks::Context;
use serde_json::Value;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A stream says something every 15 seconds; a silence longer than this is a dead line.
const SILENCE: Duration = Duration::from_secs(40);
/// A stream is ended by the deployment before this and opened again.
const LONGEST_STREAM: Duration = Duration::from_secs(900);
/// Between two questions where there are no events.
const LOOK: Duration = Duration::from_secs(2);
/// A deployment that is away for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is followed, and what was heard of it.
struct Watched<'a> {
    deployment: &'a Deployment,
    path: String,
    last_event: Option<String>,
    /// Events do not come through, so questions are asked.
    streams: bool,
}

impl Deployment {
    /// Asks for a backup, or for a restore of one (its operation), and waits until it is over; its progress is shown.
    /// Ctrl-C cancels it and waits for the clean end. Answers the backup's id and the last state.
    ///
    /// # Errors
    /// Why it failed, or [`Code::Cancelled`].
    pub async fn watch(
        &self,
        common: &Common,
        ask: impl Future<Output = Result<(Uuid, Option<Uuid>)>>,
    ) -> Result<(Uuid, Value)> {
        let style = Style::choose(common.json, common.progress);
        progress::shown(style, async |ctx| {
            let (backup, operation) = ask.await?;
            let canceller = async {
                ctx.cancel.cancelled().await;
                if let Err(e) = self.cancel(backup, operation).await
                    && e.code != Code::NotPossible
                {
                    ctx.progress
                        .notice(format!("it could not be cancelled: {e}"));
                }
                std::future::pending::<Result<Value>>().await
            };
            let query = operation.map(|id| format!("?operation={id}"));
            let mut watched = Watched::new(self, backup, &query.unwrap_or_default());
            let ended = tokio::select! {
                ended = watched.until_over(ctx) => ended,
                never = canceller => never,
            };
            let state = ended.map_err(|e| goes_on(e, backup))?;
            Ok((backup, state))
        })
        .await
    }
}

impl Deployment {
    /// Waits until an export of a backup is there. Stopping the wait does not stop the export.
    pub(super) async fn await_export(&self, ctx: &Context, backup: Uuid, id: Uuid) -> Result<()> {
        let mut watched = Watched::new(self, backup, &format!("?export={id}"));
        let over = ctx.or_cancelled(watched.until_over(ctx)).await;
        over.map(drop).map_err(|e| goes_on(e, backup))
    }
}

/// An error of the line, and not of the work.
fn goes_on(error: Error, backup: Uuid) -> Error {
    match error.code.class() {
        Class::Connect => {
            let hint = error.hint.clone().unwrap_or_default();
            error.hint(
                format!("{hint} The work goes on there: `rovodev show {backup}` tells how it is.")
                    .trim_start(),
            )
        }
        _ => error,
    }
}

impl<'a> Watched<'a> {
    /// `query` tells what of the backup is followed; the newest that works on it where it is empty.
    fn new(deployment: &'a Deployment, backup: Uuid, query: &str) -> Self {
        Self {
            deployment,
            path: format!("/api/backups/{backup}/restore/status{query}"),
            last_event: None,
            streams: true,
        }
    }

    async fn until_over(&mut self, ctx: &Context) -> Result<Value> {
        let mut answered = Instant::now();
        loop {
            let heard = match self.streams {
                true => self.listen(ctx, &mut answered).await,
                false => self.look(ctx).await,
            };
            match heard {
                Ok(Some(over)) => return ended(over),
                Ok(None) => answered = Instant::now(),
                Err(e) if !e.retry || answered.elapsed() > PATIENCE => return Err(e),
                Err(_) => {}
            }
            if !self.streams {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn look(&self, ctx: &Context) -> Result<Option<Value>> {
        let client = &self.deployment.0;
        let state = client
            .call(Method::GET, &self.path, None, Repeat::Safely)
            .await?;
        Ok(told(ctx, state))
    }

    /// Listens until the stream ends. One that brings nothing is not opened again.
    async fn listen(&mut self, ctx: &Context, answered: &mut Instant) -> Result<Option<Value>> {
        let client = &self.deployment.0;
        let mut request = client
            .request(Method::GET, &self.path)
            .header(ACCEPT, "text/event-stream")
            .timeout(LONGEST_STREAM);
        if let Some(id) = &self.last_event {
            request = request.header("last-event-id", id);
        }
        // Whatever is wrong with the stream, a question tells, and tells why.
        self.streams = false;
        let opened = tokio::time::timeout(SILENCE, request.send()).await;
        let Ok(Ok(response)) = opened else {
            return Ok(None);
        };
        if !response.status().is_success() {
            let error = client.refusal(response).await;
            return if error.retry { Ok(None) } else { Err(error) };
        }
        let mut events = response.bytes_stream().eventsource();
        while let Ok(Some(Ok(event))) = tokio::time::timeout(SILENCE, events.next()).await {
            let Ok(state) = serde_json::from_str::<Value>(&event.data) else {
                continue;
            };
            self.streams = true;
            *answered = Instant::now();
            self.last_event = Some(event.id).filter(|id| !id.is_empty());
            if let Some(over) = told(ctx, state) {
                return Ok(Some(over));
            }
        }
        Ok(None)
    }
}

/// Shows how far it is; the state where it is over.
fn told(ctx: &Context, state: Value) -> Option<Value> {
    if let Ok(event) = serde_json::from_value::<Event>(state["progress"].clone()) {
        ctx.progress.pass(Event {
            notice: None,
            ..event
        });
    }
    let over = matches!(
        state["status"].as_str(),
        Some("completed" | "failed" | "cancelled" | "expired")
    );
    over.then_some(state)
}

fn ended(state: Value) -> Result<Value> {
    let text = |field: &str| state[field].as_str();
    match text("status") {
        Some("failed") => {
            let code = text("errorCode").and_then(Code::named);
            let message = text("error").unwrap_or("it failed").to_string();
            Err(Error::new(code.unwrap_or(Code::ServiceError), message))
        }
        Some("cancelled") => Err(Error::cancelled()),
        Some("expired") => {
            Err(Error::new(Code::ServiceError, "it has expired meanwhile")
                .hint("Ask for it again."))
        }
        _ => Ok(state),
    }
}
