//! Shows the events of a running operation, and stops it when a person asks to.

mod show;

use crate::output;
use dialoguer::console::Term;
use rovodev::core::progress::Event;
use rovodev::error::{Error, Result};
use rovodev::tasks::progress::Progress;
use rovodev::tasks::{Clock, Context};
use show::{Bar, Lines};
use std::io::IsTerminal;
use std::sync::{LazyLock, Mutex, Once, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After a second Ctrl-C.
const LEFT_BEHIND: &str = "It ended in the middle of its work, and nothing is half done: a backup that is not whole is none, and a \
database restored in place is old or new (`rovodev status` tells which). What it left is taken up or cleared away by the next \
restore, or by `rovodev prune`.";

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A bar on stderr, one line high.
    Bar,
    /// Plain lines on stderr.
    Lines,
    /// One JSON object per event on stdout.
    Json,
    /// Only what a person must hear, on stderr.
    Quiet,
}

impl Style {
    pub fn choose(json: bool, progress: bool) -> Self {
        match (json, progress) {
            (true, true) => Style::Json,
            (true, false) => Style::Quiet,
            _ if std::io::stderr().is_terminal() && !output::terminal_is_dumb() => Style::Bar,
            _ => Style::Lines,
        }
    }
}

/// Set by the first Ctrl-C (or SIGTERM), for the whole program: one that comes between two operations stops the next.
static STOP: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);
/// Where to tell of it: the operation that runs, if one does.
static RUNNING: Mutex<Option<Progress>> = Mutex::new(None);
static LISTENING: Once = Once::new();

/// Shows an event, or that the stage under way goes on.
type Sink = Box<dyn FnMut(Option<&Event>) + Send>;

/// Runs `work` with its progress shown. The first Ctrl-C (or SIGTERM) asks it and all that follows to stop, the second
/// ends the program.
pub async fn shown<T>(style: Style, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let (progress, mut events) = Progress::channel();
    let context = Context {
        progress,
        cancel: STOP.clone(),
        clock: Clock::default(),
    };
    let finished = CancellationToken::new();
    tell_of_stopping(Some(context.progress.clone()));
    // Listened for before the work begins, or an early signal would still be deadly.
    LISTENING.call_once(|| {
        if let Some(signals) = Signals::listen() {
            tokio::spawn(stop_when_asked(style, signals));
        }
    });
    let ended = finished.clone();
    let display = tokio::spawn(async move {
        let mut sink: Sink = match style {
            Style::Bar => {
                let mut bar = Bar::new();
                Box::new(move |event| match event {
                    Some(event) => bar.show(event),
                    None => bar.go_on(),
                })
            }
            Style::Lines => {
                let mut lines = Lines::new();
                Box::new(move |event| match event {
                    Some(event) => lines.show(event),
                    None => lines.go_on(),
                })
            }
            Style::Json => Box::new(|event| {
                if let Some(event) = event {
                    output::line(&serde_json::json!({ "event": event }).to_string());
                }
            }),
            Style::Quiet => Box::new(|event| event.into_iter().for_each(show::notice_alone)),
        };
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => sink(Some(&event)),
                    None => break,
                },
                () = ended.cancelled() => break,
                _ = clock.tick() => sink(None),
            }
        }
    });
    let done = Box::pin(work(&context)).await;
    tell_of_stopping(None);
    finished.cancel();
    // A display that panicked has nothing to add to the result.
    let _ = display.await;
    done
}

fn tell_of_stopping(progress: Option<Progress>) {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = progress;
}

async fn stop_when_asked(style: Style, mut signals: Signals) {
    signals.next().await;
    let told = "Stopping cleanly; press Ctrl-C again to end at once.";
    match &*RUNNING.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(progress) => progress.notice(told),
        None => output::tell(told),
    }
    // Only now: what ends at once would end while its bar stands there, and the words would come into it.
    STOP.cancel();
    signals.next().await;
    if style == Style::Bar {
        let _ = Term::stderr().clear_line();
    }
    let ended = Error::cancelled().hint(LEFT_BEHIND);
    let exit = output::show_error(&ended, matches!(style, Style::Json | Style::Quiet));
    std::process::exit(exit.code().into());
}

/// Ctrl-C and SIGTERM, which have no other effect once this is made.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Inside a runtime. Without handlers the signals keep their deadly default.
    #[cfg(unix)]
    pub fn listen() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    #[cfg(not(unix))]
    pub fn listen() -> Option<Self> {
        Some(Self {})
    }

    #[cfg(unix)]
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rovodev::error::Code;

    /// The first operation is over when the signal is heard; the second must not begin as if nothing had been said.
    #[tokio::test]
    async fn a_signal_between_two_operations_stops_the_second() {
        let first = shown(Style::Quiet, async |_| {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::INT)
                .map_err(|e| Error::new(Code::Internal, e.to_string()))
        });
        first.await.unwrap();
        let second = shown(Style::Quiet, async |ctx| {
            ctx.or_cancelled(std::future::pending::<Result<()>>()).await
        });
        let stopped = tokio::time::timeout(Duration::from_secs(30), second).await;
        let error = stopped.expect("the signal was swallowed").unwrap_err();
        assert_eq!(error.code, Code::Cancelled);
    }
}
