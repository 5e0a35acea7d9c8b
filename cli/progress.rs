//! Shows the events of a running operation, and stops it when a person asks to.

mod show;

use crate::output;
use dialoguer::console::Term;
use rovodev::error::{Error, Result};
use rovodev::tasks::progress::Progress;
use rovodev::tasks::{Clock, Context};
use show::{Bar, Lines};
use std::io::IsTerminal;
use tokio_util::sync::CancellationToken;

/// After a second Ctrl-C.
const LEFT_BEHIND: &str = "It ended in the middle of its work. A database restored in place is old or new, never between; `rovodev status` \
tells whether a restore in place was done. What may be left: staged rows or an unfinished target, which the same \
restore takes up or clears when it is run again, and rows in the store that no backup uses, which `rovodev prune` deletes.";

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

/// Runs `work` with its progress shown. The first Ctrl-C (or SIGTERM) asks it to stop, the second ends the program.
pub async fn shown<T>(style: Style, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let (progress, mut events) = Progress::channel();
    let context = Context {
        progress,
        cancel: CancellationToken::new(),
        clock: Clock::default(),
    };
    let (told, cancel, finished) = (
        context.progress.clone(),
        context.cancel.clone(),
        CancellationToken::new(),
    );
    let stopper = tokio::spawn(stop_when_asked(style, told, cancel));
    let ended = finished.clone();
    let display = tokio::spawn(async move {
        let mut sink: Box<dyn FnMut(&_) + Send> = match style {
            Style::Bar => {
                let mut bar = Bar::new();
                Box::new(move |event: &_| bar.show(event))
            }
            Style::Lines => {
                let mut lines = Lines::new();
                Box::new(move |event: &_| lines.show(event))
            }
            Style::Json => Box::new(|event: &_| {
                output::line(&serde_json::json!({ "event": event }).to_string());
            }),
            Style::Quiet => Box::new(show::notice_alone),
        };
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => sink(&event),
                    None => break,
                },
                () = ended.cancelled() => break,
            }
        }
    });
    let done = Box::pin(work(&context)).await;
    stopper.abort();
    finished.cancel();
    // A display that panicked has nothing to add to the result.
    let _ = display.await;
    done
}

async fn stop_when_asked(style: Style, progress: Progress, cancel: CancellationToken) {
    asked().await;
    cancel.cancel();
    progress.notice("Stopping cleanly; press Ctrl-C again to end at once.");
    asked().await;
    if style == Style::Bar {
        let _ = Term::stderr().clear_line();
    }
    let ended = Error::cancelled().hint(LEFT_BEHIND);
    let exit = output::show_error(&ended, matches!(style, Style::Json | Style::Quiet));
    std::process::exit(exit.code().into());
}

/// Waits for Ctrl-C or SIGTERM, which from now on have no other effect.
async fn asked() {
    match Signals::listen() {
        Some(mut signals) => signals.next().await,
        None => std::future::pending().await,
    }
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
