//! Bars and lines.

use crate::{human, output};
use dialoguer::console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rovodev::core::progress::Event;
use std::time::{Duration, Instant};

/// The least time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// How often the line is drawn anew at most, per second.
const FRAMES: u8 = 8;

/// Below this many columns there is no room for the drawing beside the figures.
const NARROW: u16 = 60;
/// Characters of the drawing, without its brackets.
const DRAWING: usize = 12;

/// One calm line at the bottom of the terminal; gone when dropped.
pub struct Bar {
    bar: ProgressBar,
    narrow: bool,
    lasting: Lasting,
}

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(FRAMES));
        // All in one message: of fields that are set one by one, a frame may show some old and some new.
        bar.set_style(
            ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_message("Starting");
        bar.enable_steady_tick(Duration::from_secs(1) / u32::from(FRAMES));
        let (_, columns) = Term::stderr().size();
        Self {
            bar,
            narrow: columns < NARROW,
            lasting: Lasting::new(),
        }
    }

    pub fn show(&mut self, event: &Event) {
        match &event.notice {
            Some(notice) => self.bar.println(notice),
            None => {
                self.lasting.note(event);
                self.bar.set_message(told(event, self.narrow));
            }
        }
    }

    /// A statement of the server may say nothing for minutes.
    pub fn go_on(&mut self) {
        if let Some((event, lasts)) = self.lasting.so_far()
            && percent(event).is_none()
        {
            let told = told(event, self.narrow);
            self.bar
                .set_message(format!("{} ({lasts})", told.trim_end()));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `Rows [=====>      ]  45% 12 MiB of 80 MiB, 4 MiB/s, 17s left, public.calls`
fn told(event: &Event, narrow: bool) -> String {
    let mut parts = figures(event);
    if narrow {
        // What does not fit is cut off at the end, so the least needed goes there.
        parts.reverse();
    }
    parts.extend(event.table.clone());
    let parts = parts.join(", ");
    let stage = event.stage.label();
    match percent(event) {
        None => format!("{stage} {parts}"),
        Some(percent) if narrow => format!("{stage} {percent}% {parts}"),
        Some(percent) => {
            let done = usize::try_from(percent).unwrap_or(0) * DRAWING / 100;
            let head = if done < DRAWING { ">" } else { "" };
            let drawing = format!("{}{head}", "=".repeat(done));
            format!("{stage} [{drawing:<DRAWING$}] {percent:>3}% {parts}")
        }
    }
}

/// At most 100, whatever the estimate was; none where nothing is known of all that is to do.
fn percent(event: &Event) -> Option<u64> {
    (event.bytes.min(event.total_bytes) * 100).checked_div(event.total_bytes)
}

/// The stage under way, and since when.
struct Lasting {
    since: Instant,
    event: Option<Event>,
}

impl Lasting {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            event: None,
        }
    }

    fn note(&mut self, event: &Event) {
        if self.event.as_ref().is_none_or(|e| e.stage != event.stage) {
            self.since = Instant::now();
        }
        self.event = Some(event.clone());
    }

    /// After the first second.
    fn so_far(&self) -> Option<(&Event, String)> {
        let lasts = self.since.elapsed();
        let event = self.event.as_ref().filter(|_| lasts.as_secs() > 0)?;
        Some((event, format!("{:#}", indicatif::HumanDuration(lasts))))
    }
}

/// One plain line about every two seconds, so that a log stays short.
pub struct Lines {
    told: Instant,
    lasting: Lasting,
}

impl Lines {
    pub fn new() -> Self {
        Self {
            told: Instant::now(),
            lasting: Lasting::new(),
        }
    }

    /// A statement of the server may say nothing for minutes.
    pub fn go_on(&mut self) {
        if self.told.elapsed() < LINE_INTERVAL {
            return;
        }
        if let Some((event, lasts)) = self.lasting.so_far() {
            self.told = Instant::now();
            output::tell(&format!("{} ({lasts})", line(event)));
        }
    }

    pub fn show(&mut self, event: &Event) {
        if event.notice.is_some() {
            return notice_alone(event);
        }
        self.lasting.note(event);
        if self.told.elapsed() < LINE_INTERVAL {
            return;
        }
        self.told = Instant::now();
        output::tell(&line(event));
    }
}

/// `Rows 45% 12 MiB of 80 MiB, 4 MiB/s, 17s left (public.calls)`
fn line(event: &Event) -> String {
    let percent = percent(event).map(|p| format!(" {p}%")).unwrap_or_default();
    let table = event
        .table
        .as_ref()
        .map(|t| format!(" ({t})"))
        .unwrap_or_default();
    let figures = figures(event).join(", ");
    let told = format!("{}{percent} {figures}{table}", event.stage.label());
    told.trim_end().to_string()
}

pub fn notice_alone(event: &Event) {
    if let Some(notice) = &event.notice {
        output::tell(notice);
    }
}

/// `12 MiB of 80 MiB`, `4 MiB/s`, `17s left`
fn figures(event: &Event) -> Vec<String> {
    let mut parts = Vec::new();
    if event.total_bytes > 0 {
        let total = human::bytes(event.total_bytes.max(event.bytes));
        parts.push(format!("{} of {total}", human::bytes(event.bytes)));
    } else if event.bytes > 0 {
        parts.push(human::bytes(event.bytes));
    } else if event.rows > 0 {
        parts.push(human::counted(event.rows, "row"));
    }
    if event.bytes_per_second > 0 {
        parts.push(format!("{}/s", human::bytes(event.bytes_per_second)));
    }
    if let Some(left) = event.seconds_left {
        let left = indicatif::HumanDuration(Duration::from_secs(left));
        parts.push(format!("{left:#} left"));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use rovodev::core::progress::Stage;

    #[test]
    fn figures_tell_bytes_rate_and_time_left() {
        let event = Event {
            stage: Stage::Rows,
            table: None,
            rows: 10,
            bytes: 12 << 20,
            total_bytes: 80 << 20,
            bytes_per_second: 4 << 20,
            seconds_left: Some(17),
            notice: None,
        };
        assert_eq!(
            figures(&event),
            ["12.00 MiB of 80.00 MiB", "4.00 MiB/s", "17s left"]
        );
        assert_eq!(
            told(&event, false),
            "Rows [=>          ]  15% 12.00 MiB of 80.00 MiB, 4.00 MiB/s, 17s left"
        );
        assert_eq!(
            told(&event, true),
            "Rows 15% 17s left, 4.00 MiB/s, 12.00 MiB of 80.00 MiB"
        );
        let unknown = Event {
            bytes: 0,
            total_bytes: 0,
            bytes_per_second: 0,
            seconds_left: None,
            ..event
        };
        assert_eq!(figures(&unknown), ["10 rows"]);
    }
}
