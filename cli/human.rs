//! Sizes, times and counts as people read them.

use chrono::{DateTime, Utc};
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use rovodev::tasks::backups::short_id;
use std::io::IsTerminal;
use std::time::Duration;
use uuid::Uuid;

/// `1.23 GiB`
pub fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `1,234,567`
pub fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// `1 table`, `2 tables`
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// `3 minutes ago`; a moment in the future (clocks differ) is now.
pub fn ago(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - moment).to_std() {
        Ok(age) if age >= Duration::from_secs(1) => format!("{} ago", HumanDuration(age)),
        _ => "just now".into(),
    }
}

/// The same for a table: `3m ago`.
pub fn shortly_ago(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - moment).to_std() {
        Ok(age) if age >= Duration::from_secs(1) => format!("{:#} ago", HumanDuration(age)),
        _ => "just now".into(),
    }
}

/// The id of a restore, as `--undo` takes it: on a terminal the digits that tell it apart.
pub fn operation(id: Uuid) -> String {
    match std::io::stdout().is_terminal() {
        true => short_id(id),
        false => id.to_string(),
    }
}

/// Of a moment in a table: how long ago on a terminal, the moment itself elsewhere.
pub fn moment(moment: DateTime<Utc>) -> String {
    match std::io::stdout().is_terminal() {
        true => shortly_ago(moment, Utc::now()),
        false => exact(moment),
    }
}

/// Rows added, changed and removed, as `+10 ~1 -5`, without what is nothing.
pub fn rows(counts: [u64; 3]) -> String {
    let told = ['+', '~', '-'].into_iter().zip(counts);
    let told = told.filter(|(_, rows)| *rows > 0);
    let told: Vec<_> = told
        .map(|(sign, rows)| format!("{sign}{}", count(rows)))
        .collect();
    told.join(" ")
}

/// `2025-12-22 14:30:00 UTC`
pub fn exact(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Of a moment whose hour does not matter.
pub fn day(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d").to_string()
}

/// `12 seconds`, `0.4 seconds`
pub fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(10) {
        format!("{:.1} seconds", elapsed.as_secs_f64())
    } else {
        HumanDuration(elapsed).to_string()
    }
}

/// `15.18` of `15.18 (Debian 15.18-0+deb12u1)`
pub fn version(server_version: &str) -> &str {
    server_version.split_whitespace().next().unwrap_or("?")
}

/// At most `width` characters, the middle cut with `…`: names of one kind begin alike, and their ends tell them apart.
pub fn middle_cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.into();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 2, kept - kept / 2);
    let begin: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{begin}…{end}")
}

/// At most `width` characters, the end cut with `…`.
pub fn short(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well() {
        let now = DateTime::from_timestamp(1_766_413_800, 0).unwrap();
        let earlier = |s: i64| ago(now - chrono::Duration::seconds(s), now);
        assert_eq!(earlier(0), "just now");
        assert_eq!(earlier(-5), "just now");
        assert_eq!(earlier(180), "3 minutes ago");
        assert_eq!(exact(now), "2025-12-22 14:30:00 UTC");
        assert_eq!(
            (bytes(1_536), count(1_234_567)),
            ("1.50 KiB".into(), "1,234,567".into())
        );
        assert_eq!(
            (counted(1, "table"), counted(0, "row")),
            ("1 table".into(), "0 rows".into())
        );
        assert_eq!(
            middle_cut("before-restore_2026-11-22_04-10-33-123", 26),
            "before-resto…_04-10-33-123"
        );
        assert_eq!(middle_cut("abcd", 4), "abcd");
        assert_eq!(
            (short("abcdef", 4), short("abcd", 4)),
            ("abc…".into(), "abcd".into())
        );
    }
}
