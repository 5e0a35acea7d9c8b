//! Counts work as it happens and tells it as events, at most ten a second.

use crate::core::progress::{Event, Stage};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const INTERVAL: Duration = Duration::from_millis(100);
/// The rate is that of the last few seconds, so that it follows what happens now.
const WINDOW: Duration = Duration::from_secs(5);
/// A rate is worth a guess at the time left once it was measured this long.
const MEASURED: Duration = Duration::from_secs(1);

/// The sending side; without a listener it costs next to nothing.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Inner>>);

struct Inner {
    state: Mutex<State>,
    events: UnboundedSender<Event>,
    /// Hears the same events.
    beside: Progress,
}

struct State {
    stage: Stage,
    table: Option<String>,
    rows: u64,
    bytes: u64,
    total: u64,
    told: Option<Instant>,
    samples: VecDeque<(Instant, u64)>,
}

impl Progress {
    /// A progress and the events it tells. Events end when the last clone is dropped.
    pub fn channel() -> (Self, UnboundedReceiver<Event>) {
        Self::channel_beside(Self::default())
    }

    /// The same; `beside` hears the events too.
    pub fn channel_beside(beside: Self) -> (Self, UnboundedReceiver<Event>) {
        let (events, receiver) = unbounded_channel();
        let state = State {
            stage: Stage::Connect,
            table: None,
            rows: 0,
            bytes: 0,
            total: 0,
            told: None,
            samples: VecDeque::new(),
        };
        (
            Self(Some(Arc::new(Inner {
                state: Mutex::new(state),
                events,
                beside,
            }))),
            receiver,
        )
    }

    /// Enters a stage; `total_bytes` is its estimate (0: unknown).
    pub fn stage(&self, stage: Stage, total_bytes: u64) {
        self.with(|s| {
            (s.stage, s.table, s.rows, s.bytes, s.total) = (stage, None, 0, 0, total_bytes);
            s.samples.clear();
            true
        });
    }

    /// Counts work that is done.
    pub fn add(&self, table: &str, rows: u64, bytes: u64) {
        self.with(|s| {
            if s.table.as_deref() != Some(table) {
                s.table = Some(table.to_string());
            }
            s.rows += rows;
            s.bytes += bytes;
            s.told.is_none_or(|t| t.elapsed() >= INTERVAL)
        });
    }

    /// Counts bytes that are of no table.
    pub fn add_bytes(&self, bytes: u64) {
        self.with(|s| {
            s.bytes += bytes;
            s.told.is_none_or(|t| t.elapsed() >= INTERVAL)
        });
    }

    /// Tells a person something at once.
    pub fn notice(&self, text: impl Into<String>) {
        if let Some(inner) = &self.0 {
            let mut event = inner.lock().event();
            event.notice = Some(text.into());
            inner.send(event);
        }
    }

    /// Passes on an event of work that is done elsewhere.
    pub fn pass(&self, event: Event) {
        if let Some(inner) = &self.0 {
            inner.send(event);
        }
    }

    fn with(&self, change: impl FnOnce(&mut State) -> bool) {
        let Some(inner) = &self.0 else { return };
        let mut state = inner.lock();
        if change(&mut state) {
            let now = Instant::now();
            state.told = Some(now);
            let bytes = state.bytes;
            state.samples.push_back((now, bytes));
            while state
                .samples
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
            {
                state.samples.pop_front();
            }
            inner.send(state.event());
        }
    }
}

impl Inner {
    /// A listener that went away does not stop the work.
    fn send(&self, event: Event) {
        self.beside.pass(event.clone());
        let _ = self.events.send(event);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn event(&self) -> Event {
        let (span, moved) = match (self.samples.front(), self.samples.back()) {
            (Some((t0, b0)), Some((t1, b1))) => (t1.duration_since(*t0), b1 - b0),
            _ => (Duration::ZERO, 0),
        };
        let rate = match span.is_zero() {
            true => 0,
            false => (moved as f64 / span.as_secs_f64()) as u64,
        };
        let left = self.total.saturating_sub(self.bytes);
        Event {
            stage: self.stage,
            table: self.table.clone(),
            rows: self.rows,
            bytes: self.bytes,
            total_bytes: self.total,
            bytes_per_second: rate,
            seconds_left: (rate > 0 && left > 0 && span >= MEASURED).then(|| left.div_ceil(rate)),
            notice: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(total: u64, samples: &[(u64, u64)]) -> Event {
        let begun = Instant::now();
        let at = |(ms, bytes): &(u64, u64)| (begun + Duration::from_millis(*ms), *bytes);
        let state = State {
            stage: Stage::Rows,
            table: None,
            rows: 0,
            bytes: samples.last().map_or(0, |(_, bytes)| *bytes),
            total,
            told: None,
            samples: samples.iter().map(at).collect(),
        };
        state.event()
    }

    #[test]
    fn time_left_is_told_once_there_is_something_to_base_it_on() {
        let told = |total, samples: &[(u64, u64)]| {
            let e = event(total, samples);
            (e.bytes_per_second, e.seconds_left)
        };
        assert_eq!(told(100, &[]), (0, None));
        assert_eq!(told(100, &[(0, 5)]), (0, None));
        assert_eq!(told(100, &[(0, 0), (100, 1)]), (10, None), "too early");
        assert_eq!(told(100, &[(0, 0), (2000, 20)]), (10, Some(8)));
        assert_eq!(told(100, &[(0, 90), (2000, 99)]), (4, Some(1)), "not 0");
        assert_eq!(
            told(100, &[(0, 90), (2000, 110)]),
            (10, None),
            "more than guessed"
        );
        assert_eq!(told(0, &[(0, 0), (2000, 20)]), (10, None), "no total");
    }
}
