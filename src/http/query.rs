//! What a caller sent: query parameters, JSON bodies, ids in paths. Whatever is unknown is refused by name.

use super::{Problem, Request};
use chrono::{DateTime, Datelike, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use uuid::Uuid;

/// Of an `Idempotency-Key`.
const LONGEST_KEY: usize = 200;

/// Query parameters; `allowed` are the names that mean something.
pub fn parameters(request: &Request, allowed: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let text = request.uri().query().unwrap_or_default();
    // Vercel's routes repeat what stands for `[id]` or `[part]` in the path as a parameter; another value would be a caller's.
    let in_path = |(name, value): &(String, String)| {
        let mut parts = request.uri().path().split('/').skip(3);
        let (first, more) = (parts.next(), parts.next().is_some());
        name == if more { "id" } else { "part" } && first == Some(value)
    };
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .filter(|pair| !in_path(pair))
        .collect();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if !allowed.contains(&name.as_str()) {
            return Err(Problem::bad_request(
                "unknown_parameter",
                match allowed {
                    [] => format!("There is no parameter {name:?} here, nor another one."),
                    _ => format!(
                        "There is no parameter {name:?}; possible are {}.",
                        allowed.join(", ")
                    ),
                },
            ));
        }
        if pairs[..at].iter().any(|(other, _)| other == name) {
            return Err(Problem::bad_request(
                "repeated_parameter",
                format!("{name} is given twice. Separate several values by commas."),
            ));
        }
        if value.contains('\0') {
            return Err(Problem::bad_request(
                "bad_parameter",
                format!("{name} holds the character NUL, which no text here can."),
            ));
        }
    }
    Ok(pairs)
}

/// A JSON body: an object of texts, numbers, booleans and lists of these; an empty one counts as `{}`. Unknown fields are
/// refused by the type (`deny_unknown_fields`).
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    body_with(request, "")
}

/// The same, where one field holds an object.
pub fn body_with<T: DeserializeOwned>(request: &Request, object: &str) -> Result<T, Problem> {
    let bytes: &[u8] = match request.body().is_empty() {
        true => b"{}",
        false => request.body(),
    };
    let unread = |e: serde_json::Error| {
        let detail = format!("The body cannot be read: {e}.");
        match e.is_data() {
            true => Problem::bad_request("bad_field", detail),
            false => Problem::bad_request("bad_json", detail),
        }
    };
    let plain: Value = serde_json::from_slice(bytes).map_err(unread)?;
    let refused = |detail: String| Err(Problem::bad_request("bad_field", detail));
    // A list would pass for the fields in the order of our own source.
    let Some(fields) = plain.as_object() else {
        return refused("The body must be an object.".into());
    };
    // `{"full": null}` would pass for `"full"`.
    if let Some((name, _)) = fields.iter().find(|(name, value)| match value {
        Value::Object(inside) if *name == object => inside.values().any(holds_object),
        value => holds_object(value),
    }) {
        return refused(format!(
            "The field {name} holds an object, and none here does."
        ));
    }
    if holds_nul(&plain) {
        return refused("The body holds the character NUL, which no text here can.".into());
    }
    serde_json::from_slice(bytes).map_err(unread)
}

fn holds_object(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(all) => all.iter().any(holds_object),
        _ => false,
    }
}

/// Postgres keeps no NUL in a text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(all) => all.iter().any(holds_nul),
        Value::Object(all) => all
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// What makes a request safe to send again.
pub fn idempotency_key(request: &Request) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|k| (1..=LONGEST_KEY).contains(&k.len()))
        .map(Some)
        .ok_or_else(|| {
            Problem::bad_request(
                "bad_idempotency_key",
                format!("Idempotency-Key holds 1 to {LONGEST_KEY} printable characters."),
            )
        })
}

/// The id in a path such as `/api/backups/<id>/details`: taken from the path alone, never from the query. A text that
/// is no id leads nowhere, like the id of somebody else's backup.
pub fn id_in_path(request: &Request) -> Result<Uuid, Problem> {
    request
        .uri()
        .path()
        .split('/')
        .nth(3)
        .filter(|text| text.len() == 36)
        .and_then(|text| Uuid::parse_str(text).ok())
        .ok_or_else(Problem::not_found)
}

/// Values of a list, separated by commas.
pub fn several(name: &str, value: &str, possible: &[&str]) -> Result<Vec<String>, Problem> {
    value
        .split(',')
        .map(|each| one(name, each, possible).map(str::to_string))
        .collect()
}

/// States of a backup, and of a restore.
pub const STATUSES: &[&str] = &["pending", "in_progress", "completed", "failed", "cancelled"];

/// A number within bounds.
pub fn number<T>(name: &str, value: &str, possible: RangeInclusive<T>) -> Result<T, Problem>
where
    T: FromStr + PartialOrd + Display,
{
    let (lowest, highest) = (possible.start(), possible.end());
    value
        .parse()
        .ok()
        .filter(|n| possible.contains(n))
        .ok_or_else(|| bad(name, &format!("a number from {lowest} to {highest}")))
}

/// One of what is possible.
pub fn one<'a>(name: &str, value: &'a str, possible: &[&str]) -> Result<&'a str, Problem> {
    match possible.contains(&value) {
        true => Ok(value),
        false => Err(bad(name, &format!("one of {}", possible.join(", ")))),
    }
}

/// Of the years that both RFC 3339 and Postgres can write.
pub fn time(name: &str, value: &str) -> Result<DateTime<Utc>, Problem> {
    DateTime::parse_from_rfc3339(value)
        .map(|t| t.to_utc())
        .ok()
        .filter(|t| (1..=9999).contains(&t.year()))
        .ok_or_else(|| bad(name, "a time such as 2026-11-22T14:30:00Z"))
}

/// The refusal of a parameter that cannot be read.
pub fn bad(name: &str, expected: &str) -> Problem {
    Problem::bad_request("bad_parameter", format!("{name} must be {expected}."))
}
