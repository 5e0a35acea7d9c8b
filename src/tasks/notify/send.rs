//! One attempt to tell one receiver.

use super::Notifier;
use super::deliver::Delivery;
use crate::core::notify::{Kind, Message, Notice, body, mail, sign, slack, words};
use crate::error::{Code, Error, Result};
use crate::ports::outward::{Outward, Said};
use crate::ports::push::Subscription;
use bytes::Bytes;
use chrono::Utc;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use url::Url;

const AGENT: &str = concat!("Rovodev/", env!("CARGO_PKG_VERSION"));
/// Characters of an answer that are shown to who tests a channel.
const SHOWN: usize = 300;

/// What came of it.
#[derive(Debug)]
pub(super) struct Attempt {
    pub became: Became,
    /// As HTTP or SMTP has it.
    pub status: Option<u16>,
    pub reason: Option<String>,
    pub answer: Option<String>,
}

#[derive(Debug)]
pub(super) enum Became {
    Delivered,
    /// Another attempt may fare better, after `rest` seconds if the receiver said so.
    Broken {
        rest: Option<u64>,
    },
    /// No other attempt would.
    Refused,
    /// Nobody will listen there any more.
    Gone,
}

/// Never fails: whatever goes wrong is the attempt's outcome.
pub(super) async fn send(notifier: &Notifier, outward: &Outward, delivery: &Delivery) -> Attempt {
    let sent = match serde_json::from_value(delivery.message.clone()) {
        Ok(message) => told(notifier, outward, delivery, &message).await,
        Err(e) => Err(Error::new(Code::Internal, "The message cannot be read.").source(e)),
    };
    sent.unwrap_or_else(|error| Attempt {
        became: match error.retry {
            true => Became::Broken { rest: None },
            false => Became::Refused,
        },
        status: None,
        reason: Some(error.message),
        answer: None,
    })
}

async fn told(
    notifier: &Notifier,
    outward: &Outward,
    delivery: &Delivery,
    message: &Message,
) -> Result<Attempt> {
    let notice = Notice {
        event: delivery.event,
        message,
        test: delivery.test,
        dashboard: notifier.0.dashboard.as_deref(),
    };
    let target = &delivery.channel.target;
    match delivery.channel.kind {
        Kind::Webhook => {
            let (headers, body) = signed(delivery, &body(&notice))?;
            let said = outward.send(Method::POST, target, headers, body).await?;
            Ok(heard(said, false))
        }
        Kind::Slack => {
            let body = Bytes::from(slack(&notice).to_string());
            let said = outward
                .send(Method::POST, target, json_headers(), body)
                .await?;
            Ok(heard(said, true))
        }
        Kind::Ping => {
            let target = pinged(target, delivery.test || delivery.event.is_good())?;
            let said = outward
                .send(Method::GET, &target, agent(), Bytes::new())
                .await?;
            Ok(heard(said, false))
        }
        Kind::Push => push(notifier, outward, delivery, &notice).await,
        Kind::Email => {
            let mailer = notifier.0.mailer.as_ref().ok_or_else(not_set_up)?;
            let id = delivery.id.to_string();
            let said = mailer.send(target, &mail(&notice), &id).await?;
            Ok(Attempt {
                became: Became::Delivered,
                status: Some(said.status),
                reason: None,
                answer: shown(&said.text),
            })
        }
    }
}

fn not_set_up() -> Error {
    Error::new(Code::Config, "This deployment is not set up for it.").retry(true)
}

/// Headers of Standard Webhooks, and the bytes that they sign.
fn signed(delivery: &Delivery, body: &Value) -> Result<(HeaderMap, Bytes)> {
    let id = delivery.id.to_string();
    let at = Utc::now().timestamp();
    let bytes = Bytes::from(body.to_string());
    let secret = delivery.channel.secret.as_deref().unwrap_or_default();
    let unsigned = || Error::new(Code::Internal, "The channel has no secret. Make a new one.");
    let signature = sign(secret, &id, at, &bytes).ok_or_else(unsigned)?;
    let mut headers = json_headers();
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", signature),
    ] {
        // Digits, letters and base64: always a value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok((headers, bytes))
}

fn agent() -> HeaderMap {
    HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(AGENT))])
}

fn json_headers() -> HeaderMap {
    let mut headers = agent();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// The address for good news, and with `/fail` behind its path the one for bad.
fn pinged(target: &str, good: bool) -> Result<String> {
    let mut url = Url::parse(target)
        .map_err(|_| Error::new(Code::BadTarget, "The address cannot be read."))?;
    if !good {
        let path = format!("{}/fail", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url.into())
}

async fn push(
    notifier: &Notifier,
    outward: &Outward,
    delivery: &Delivery,
    notice: &Notice<'_>,
) -> Result<Attempt> {
    let vapid = notifier.0.vapid.as_ref().ok_or_else(not_set_up)?;
    let to = Subscription::parse(&delivery.channel.target)?;
    let words = words(notice);
    let shown = json!({
        "id": delivery.id, "event": delivery.event, "test": delivery.test, "title": words.title,
        "body": words.error.or(words.note).unwrap_or(words.lead), "url": notice.link(),
    });
    let (mut headers, body) = vapid.request(&to, shown.to_string().as_bytes())?;
    headers.extend(agent());
    let target = to.endpoint.as_str();
    let said = outward
        .send(Method::POST, target, headers, body.into())
        .await?;
    // How a vendor says that a browser does not listen any more.
    let gone = said.status == 404;
    let mut attempt = heard(said, true);
    if gone {
        attempt.became = Became::Gone;
    }
    Ok(attempt)
}

/// What an answer means. `strict` are those who say with other 4xx that no attempt will fare better; a receiver of one's
/// own may be mended meanwhile.
fn heard(said: Said, strict: bool) -> Attempt {
    let (became, reason) = match said.status {
        200..=299 => (Became::Delivered, None),
        410 => (
            Became::Gone,
            Some("It answered 410: nobody listens there any more.".into()),
        ),
        400..=499 if strict && ![408, 425, 429].contains(&said.status) => (
            Became::Refused,
            Some(format!("It answered {}.", said.status)),
        ),
        300..=399 => (
            Became::Broken { rest: None },
            Some(format!(
                "It answered {}: redirects are not followed.",
                said.status
            )),
        ),
        status => (
            Became::Broken {
                rest: said.retry_after,
            },
            Some(format!("It answered {status}.")),
        ),
    };
    Attempt {
        became,
        status: Some(said.status),
        reason,
        answer: shown(&said.text),
    }
}

fn shown(text: &str) -> Option<String> {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let cut: String = plain.take(SHOWN).collect();
    Some(cut.trim().to_string()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_of_bad_news_goes_behind_the_path() {
        let pinged = |target, good| pinged(target, good).unwrap();
        assert_eq!(
            pinged("https://hc.example/a?b", true),
            "https://hc.example/a?b"
        );
        assert_eq!(
            pinged("https://hc.example/a?b", false),
            "https://hc.example/a/fail?b"
        );
        assert_eq!(
            pinged("https://hc.example/a/", false),
            "https://hc.example/a/fail"
        );
    }

    #[test]
    fn answers_mean_what_they_say() {
        let became = |status, strict| {
            let said = Said {
                status,
                text: "no\r\nsuch".into(),
                retry_after: Some(7),
            };
            heard(said, strict).became
        };
        assert!(matches!(became(204, true), Became::Delivered));
        assert!(matches!(became(302, false), Became::Broken { rest: None }));
        assert!(matches!(became(404, false), Became::Broken { .. }));
        assert!(matches!(became(404, true), Became::Refused));
        assert!(matches!(
            became(429, true),
            Became::Broken { rest: Some(7) }
        ));
        assert!(matches!(became(503, true), Became::Broken { .. }));
        assert!(matches!(became(410, false), Became::Gone));
    }
}
