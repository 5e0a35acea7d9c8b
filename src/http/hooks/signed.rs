//! Deliveries of Vercel's webhooks.

use crate::config;
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::{Problem, Request, Service};
use crate::ports::vercel::{self, Vercel};
use crate::tasks::deployments::{self, AppVersion, Begun, Delivery};
use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderValue;
use ring::hmac;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Vercel sends what was not taken again for a day, and the catalog knows a delivery for two: what is older than this is
/// refused, so that nothing counts twice.
const OLDEST: TimeDelta = TimeDelta::hours(25);
/// Clocks differ.
const NEWEST: TimeDelta = TimeDelta::minutes(5);
const LONGEST_ID: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    created_at: Moment,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Milliseconds(i64),
    Text(DateTime<Utc>),
}

/// Of the events that we know; others lack parts.
#[derive(Deserialize)]
struct Payload {
    deployment: Option<Deployment>,
    project: Option<Project>,
    target: Option<String>,
}

#[derive(Deserialize)]
struct Deployment {
    id: String,
    url: Option<String>,
    #[serde(default)]
    meta: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

pub async fn receive(
    service: &Service,
    request: &Request,
    signature: &HeaderValue,
) -> Result<Begun, Failure> {
    verified(service, request.body(), signature)?;
    let event: Event = serde_json::from_slice(request.body()).map_err(unread)?;
    fresh(&event.created_at, Utc::now())?;
    if !is_id(&event.id) {
        return Err(Problem::bad_request("bad_field", "The delivery's id cannot be one.").into());
    }
    let Some((begins, version)) = wanted(service, &event) else {
        tracing::info!(
            kind = event.kind,
            id = event.id,
            "nothing to do for this delivery"
        );
        return Ok(Begun {
            backups: Vec::new(),
            replayed: false,
            held: false,
        });
    };
    let catalog = service.catalog();
    let delivery = Delivery {
        id: &event.id,
        begins,
        holds: Vercel::new(service.settings(), catalog.http().clone()).is_some(),
        address: super::address(request),
    };
    granted(deployments::receive_deployment(catalog, delivery, &version).await?)
}

/// In constant time (`ring::hmac::verify`).
fn verified(service: &Service, body: &[u8], signature: &HeaderValue) -> Result<(), Problem> {
    let secret = service.settings().get(&config::VERCEL_WEBHOOK_SECRET);
    let shown = signature.to_str().ok().and_then(unhexed);
    let good = secret.zip(shown).is_some_and(|(secret, shown)| {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        hmac::verify(&key, body, &shown).is_ok()
    });
    match good {
        true => Ok(()),
        false => Err(Problem::unauthorized(
            "bad_signature",
            "The signature is not that of the body.",
        )),
    }
}

/// Bytes of lower-case hex digits, as Vercel writes them.
fn unhexed(text: &str) -> Option<Vec<u8>> {
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 40 || !text.bytes().all(plain) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn fresh(created: &Moment, now: DateTime<Utc>) -> Result<(), Problem> {
    let at = match created {
        Moment::Milliseconds(ms) => DateTime::from_timestamp_millis(*ms),
        Moment::Text(at) => Some(*at),
    };
    match at.is_some_and(|at| at > now - OLDEST && at < now + NEWEST) {
        true => Ok(()),
        false => Err(Problem::bad_request(
            "stale_delivery",
            "The delivery is older than a day, or comes from the future.",
        )),
    }
}

/// Whether a deployment begins, and which; none where the event is of another project, no production, or nothing that we
/// wait for.
fn wanted(service: &Service, event: &Event) -> Option<(bool, AppVersion)> {
    let guarded = vercel::guarded_project(service.settings())?;
    let project = event.payload.project.as_ref()?;
    let deployment = event.payload.deployment.as_ref()?;
    let production = event.payload.target.as_deref() == Some("production");
    let begins = match event.kind.as_str() {
        "deployment.created" if production => true,
        "deployment.checkrun.start" => false,
        _ => return None,
    };
    let text = |names: &[&str]| {
        let meta = deployment.meta.as_ref()?;
        let found = names.iter().find_map(|name| meta.get(*name)?.as_str());
        found.map(|text| text.chars().take(super::LONGEST).collect())
    };
    let version = AppVersion {
        deployment: Some(deployment.id.clone()),
        commit: text(&["githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha"]),
        reference: text(&["githubCommitRef", "gitlabCommitRef", "bitbucketCommitRef"]),
        url: deployment.url.clone().filter(|u| u.len() <= super::LONGEST),
    };
    (project.id == guarded && is_id(&deployment.id)).then_some((begins, version))
}

/// Ids of Vercel; they become parts of addresses.
fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain)
}

fn unread(error: serde_json::Error) -> Problem {
    let detail = format!("The body cannot be read: {error}.");
    match error.is_data() {
        true => Problem::bad_request("bad_field", detail),
        false => Problem::bad_request("bad_json", detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_lives_for_a_day() {
        let now = Utc::now();
        for (age, good) in [
            (0, true),
            (24 * 60, true),
            (26 * 60, false),
            (-4, true),
            (-6, false),
        ] {
            let at = now - TimeDelta::minutes(age);
            let told = fresh(&Moment::Milliseconds(at.timestamp_millis()), now);
            assert_eq!(told.is_ok(), good, "{age}");
        }
        assert!(fresh(&Moment::Milliseconds(i64::MAX), now).is_err());
    }

    #[test]
    fn ids_stay_parts_of_addresses() {
        assert!(is_id("dpl_2qn7PZrx89yxY34vEZPD31Y9XVj6"));
        for text in ["", "a/b", "..", "a?b", "a b", &"a".repeat(101)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
