//! Messages arrive: signed, again after failures, once where nothing breaks.

use super::receiver::{Manner, Receiver, reaching};
use crate::schedules::claims::catalog;
use crate::stack::{DASHBOARD, Running};
use axum::http::HeaderMap;
use futures_util::future::join_all;
use rovodev::config::Settings;
use rovodev::tasks::notify::{Notifier, deliver};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn webhook(receiver: &Receiver, events: &[&str]) -> Value {
    json!({ "kind": "webhook", "name": "On call", "target": format!("{}/hook?key=s3cret", receiver.url), "events": events })
}

fn verified(secret: &str, headers: &HeaderMap, body: &[u8]) {
    Webhook::new(secret).unwrap().verify(body, headers).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_backup_reaches_a_webhook_that_can_prove_from_whom() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let (id, made) = running
        .channel(&admin, webhook(&receiver, &["backup.failed"]))
        .await;
    let secret = made["secret"].as_str().unwrap();
    assert!(!made["channel"].to_string().contains("s3cret"), "{made}");
    let backup = running.fail_backup(&admin).await;
    let got = receiver.until(1).await;
    verified(secret, &got[0].headers, &got[0].body);
    assert_eq!(
        (got[0].method.as_str(), got[0].path.as_str()),
        ("POST", "/hook?key=s3cret")
    );
    let told = got[0].json();
    assert_eq!(told["type"], "backup.failed", "{told}");
    assert_eq!(told["data"]["backup"]["id"], backup.as_str());
    assert_eq!(told["data"]["error"]["code"], "nothing_selected");
    assert_eq!(told["data"]["tenant"]["slug"], "default");
    assert_eq!(
        told["data"]["url"],
        format!("{DASHBOARD}/#/backups/{backup}")
    );
    let log = running
        .delivery(&admin, &id, |d| d["state"] == "delivered")
        .await;
    assert_eq!(log["id"], got[0].header("webhook-id"));
    assert_eq!(
        (&log["status"], &log["attempts"]),
        (&json!(204), &json!(1)),
        "{log}"
    );
    // That it is over is told once; a success is nothing that this channel asked for.
    for _ in 0..2 {
        running.backed_up(&admin, json!({ "type": "config" })).await;
    }
    running.tick().await;
    let over = receiver.until(2).await[1].json();
    assert_eq!(over["type"], "backup.succeeded", "{over}");
    assert_eq!(over["data"]["recovered"]["failures"], 1, "{over}");
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_is_tried_again_under_the_same_id_and_given_up_at_last() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let (id, made) = running
        .channel(&admin, webhook(&receiver, &["backup.failed"]))
        .await;
    receiver.answer([Manner::Status(500), Manner::Status(302), Manner::Hang]);
    running.fail_backup(&admin).await;
    let first = running.delivery(&admin, &id, |d| {
        d["attempts"] == 1 && d["reason"] != Value::Null
    });
    let first = first.await;
    assert_eq!(
        (&first["state"], &first["status"]),
        (&json!("waiting"), &json!(500)),
        "{first}"
    );
    assert!(
        first["nextAttemptAt"].as_str() > first["lastAttemptAt"].as_str(),
        "{first}"
    );
    for (attempt, reason) in [(2, "302"), (3, "within 10 seconds")] {
        running.make_due().await;
        running.tick().await;
        let told = |d: &Value| d["attempts"] == attempt && d["reason"].to_string().contains(reason);
        running.delivery(&admin, &id, told).await;
    }
    running.make_due().await;
    running.tick().await;
    let last = running
        .delivery(&admin, &id, |d| d["state"] == "delivered")
        .await;
    assert_eq!(
        (&last["attempts"], &last["reason"]),
        (&json!(4), &Value::Null),
        "{last}"
    );
    let got = receiver.got();
    let ids: BTreeSet<_> = got.iter().map(|g| g.header("webhook-id")).collect();
    assert_eq!((got.len(), ids.len()), (4, 1));
    for each in &got {
        verified(made["secret"].as_str().unwrap(), &each.headers, &each.body);
    }
    // Another one, to a receiver that is dead by now.
    drop(receiver);
    let clear = "DELETE FROM public.rovodev_notification_folds";
    running
        .superuser()
        .await
        .batch_execute(clear)
        .await
        .unwrap();
    running.fail_backup(&admin).await;
    for attempt in 1..=8 {
        let told = |d: &Value| d["attempts"] == attempt && d["reason"] != Value::Null;
        let seen = running.delivery(&admin, &id, told).await;
        let state = if attempt == 8 { "failed" } else { "waiting" };
        assert_eq!(seen["state"], state, "{seen}");
        assert!(
            seen["reason"]
                .as_str()
                .unwrap()
                .contains("cannot be reached"),
            "{seen}"
        );
        assert!(!seen.to_string().contains("s3cret"), "{seen}");
        running.make_due().await;
        running.tick().await;
    }
}

/// Deliveries that many workers claim at the same time, of whom one dies after its claim.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_workers_one_sends_and_who_dies_is_stood_in_for() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    for _ in 0..3 {
        running
            .channel(&admin, webhook(&receiver, &["restore.failed"]))
            .await;
    }
    written(&running, 12).await;
    let claim = json!({ "kinds": ["webhook"], "most": 1, "seconds": 600 });
    let catalog = catalog(&running);
    let died: Value = catalog
        .call(
            rovodev::ports::catalog::As::Jobs,
            "rovodev_claim_deliveries",
            &claim,
            rovodev::ports::catalog::Repeat::Unsent,
        )
        .await
        .unwrap();
    let lost = died.as_array().unwrap().len();
    assert!(lost > 0, "{died}");
    let notifier = Notifier::new(&Settings::of(running.variables.clone()));
    let until = Instant::now() + Duration::from_secs(60);
    let workers = (0..8).map(|_| deliver(&catalog, &notifier, until));
    let mut sent: usize = join_all(workers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    // Who comes while others hold the channels finds nothing; the tick looks again.
    while sent < 36 - lost {
        sent += deliver(&catalog, &notifier, until).await.unwrap();
    }
    let ids = |receiver: &Receiver| -> Vec<String> {
        let got = receiver.got();
        got.iter()
            .map(|g| g.header("webhook-id").to_string())
            .collect()
    };
    let first = ids(&receiver);
    assert_eq!(
        first.len(),
        36 - lost,
        "what is claimed stays with who claimed it"
    );
    running.make_due().await;
    let mut rest = 0;
    while rest < lost {
        rest += deliver(&catalog, &notifier, until).await.unwrap();
    }
    let all = ids(&receiver);
    let unique: BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), unique.len()), (36, 36), "each once");
    // The dead one comes back and says that it failed: too late.
    let late = died[0].clone();
    let end = json!({ "delivery": late["id"], "attempt": late["attempt"], "outcome": "failed" });
    let counted: bool = catalog
        .call(
            rovodev::ports::catalog::As::Jobs,
            "rovodev_end_delivery",
            &end,
            rovodev::ports::catalog::Repeat::Safely,
        )
        .await
        .unwrap();
    assert!(!counted);
}

/// Messages of each channel, written past the folding.
async fn written(running: &Running, each: i32) {
    let sql = "INSERT INTO public.rovodev_notification_deliveries (channel_id, event, message) \
         SELECT c.id, c.events[1], jsonb_build_object('at', now(), 'tenant', jsonb_build_object('id', t.id, 'slug', t.slug, 'name', t.name)) \
         FROM public.rovodev_notification_channels c JOIN public.rovodev_tenants t ON t.id = c.tenant_id, generate_series(1, $1)";
    running
        .superuser()
        .await
        .execute(sql, &[&each])
        .await
        .unwrap();
}

/// One that takes requests and never answers does not keep others waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_up_nobody() {
    let running = reaching().await;
    let (hanging, well) = (Receiver::start().await, Receiver::start().await);
    let admin = running.admin().await;
    hanging.answer([Manner::Hang; 200]);
    for _ in 0..5 {
        running
            .channel(&admin, webhook(&hanging, &["backup.failed"]))
            .await;
    }
    written(&running, 20).await;
    running
        .channel(&admin, webhook(&well, &["backup.failed"]))
        .await;
    running.fail_backup(&admin).await;
    let got = well.until(1).await;
    assert_eq!(got[0].json()["type"], "backup.failed");
    assert!(hanging.got().len() <= 20, "a few of each channel at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_sent_blocks_and_a_ping_is_a_get_on_success() {
    let running = reaching().await;
    let (slack, ping) = (Receiver::start().await, Receiver::start().await);
    let admin = running.admin().await;
    let both = ["backup.succeeded", "backup.failed"];
    let body = |kind: &str, url: String, events: &[&str]| json!({ "kind": kind, "name": kind, "target": url, "events": events });
    let hook = format!("{}/services/T0/B0/token", slack.url);
    running.channel(&admin, body("slack", hook, &both)).await;
    let check = format!("{}/uuid-of-check", ping.url);
    running
        .channel(&admin, body("ping", check.clone(), &both))
        .await;
    running
        .channel(
            &admin,
            body("ping", format!("{}/silent", ping.url), &both[..1]),
        )
        .await;
    let failed = running.fail_backup(&admin).await;
    let blocks = slack.until(1).await[0].json();
    assert!(
        blocks["text"].as_str().unwrap().contains("Backup failed"),
        "{blocks}"
    );
    let button = &blocks["blocks"].as_array().unwrap().last().unwrap()["elements"][0];
    assert_eq!(button["url"], format!("{DASHBOARD}/#/backups/{failed}"));
    assert!(blocks.to_string().contains("nothing_selected"), "{blocks}");
    assert_eq!(ping.until(1).await[0].path, "/uuid-of-check/fail");
    running.backed_up(&admin, json!({ "type": "config" })).await;
    let paths: BTreeSet<_> = ping.until(3).await[1..]
        .iter()
        .map(|g| g.path.clone())
        .collect();
    assert_eq!(
        paths,
        BTreeSet::from(["/uuid-of-check".into(), "/silent".into()])
    );
    assert!(
        ping.got()
            .iter()
            .all(|g| g.method == "GET" && g.body.is_empty())
    );
}

/// What says that nobody listens any more is switched off, and what waited for it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_switched_off() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let (id, _) = running
        .channel(&admin, webhook(&receiver, &["backup.failed"]))
        .await;
    receiver.answer([Manner::Status(410)]);
    running.fail_backup(&admin).await;
    running
        .delivery(&admin, &id, |d| d["state"] == "failed")
        .await;
    let path = format!("/api/workspace/channels?id={id}");
    let (_, channel) = running.call(&admin, "GET", &path, None).await;
    assert_eq!(channel["enabled"], false, "{channel}");
    assert_eq!(
        running.audited("channel.change").await,
        [("done".to_string(), None)]
    );
}
