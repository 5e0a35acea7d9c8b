//! What a policy does not keep goes by the jobs that delete; what changed meanwhile stays.

use super::claims::{catalog, patience};
use crate::stack::{CRON_SECRET, Person, Running};
use chrono::Utc;
use rovodev::tasks::schedules::expire_due;
use serde_json::{Value, json};

/// A backup a day for so many days, of which the store knows nothing.
async fn with_backups(running: &Running, schedule: &str, days: i32) {
    let sql = "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, schedule_id, created_at, trigger) \
         SELECT s.tenant_id, 'day ' || n, 'x', 'database', 'completed', 'x', now(), s.id, now() - n * interval '1 day', 'scheduled' \
         FROM public.backup_schedules s, generate_series(0, $2) n WHERE s.id = $1::text::uuid";
    let client = running.superuser().await;
    client.execute(sql, &[&schedule, &days]).await.unwrap();
}

async fn preview(running: &Running, token: &str, id: &str) -> Value {
    let path = format!("/api/schedules?id={id}&preview=retention");
    let (status, told) = running.call(token, "GET", &path, None).await;
    assert_eq!(status, 200, "{told}");
    told
}

fn expiring(previewed: &Value) -> Vec<String> {
    let backups = previewed["backups"].as_array().unwrap().iter();
    let going = backups.filter(|b| b["keep"] == false);
    going
        .map(|b| b["name"].as_str().unwrap().to_string())
        .collect()
}

/// More than one call lets expire.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_expires_by_parts() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let last = json!({ "name": "Hourly", "cron": "0 * * * *", "type": "database", "retention": { "keepLast": 1 } });
    let id = running.scheduled(&admin, last).await;
    with_backups(&running, &id, 1201).await;
    let gone = expire_due(&catalog(&running), Utc::now(), patience()).await;
    assert_eq!(gone.unwrap(), 1201);
    let previewed = preview(&running, &admin, &id).await;
    assert_eq!(
        (&previewed["keeps"], &previewed["expires"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_preview_says_happens_and_stands_in_the_log() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    // Makes the store.
    running.backed_up(&admin, json!({ "type": "config" })).await;
    let weekly = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database", "retention": { "keepLast": 3 } });
    let id = running.scheduled(&admin, weekly).await;
    let other = json!({ "name": "Other", "cron": "0 2 * * *", "type": "database" });
    let other = running.scheduled(&admin, other).await;
    with_backups(&running, &id, 9).await;
    with_backups(&running, &other, 9).await;
    let client = running.superuser().await;
    client
        .batch_execute("UPDATE public.backups SET pinned = true WHERE name = 'day 7'")
        .await
        .unwrap();
    let previewed = preview(&running, &admin, &id).await;
    let going = expiring(&previewed);
    assert_eq!(
        going,
        ["day 3", "day 4", "day 5", "day 6", "day 8", "day 9"]
    );
    let told = previewed["backups"].as_array().unwrap();
    assert_eq!(told[7]["reasons"][0]["code"], "pinned");
    assert!(expiring(&preview(&running, &admin, &other).await).is_empty());

    let (status, told) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &told["expired"]), (200, &json!(6)), "{told}");
    assert!(expiring(&preview(&running, &admin, &id).await).is_empty());
    let (_, again) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!(again["expired"], 0, "{again}");
    assert_eq!(running.audited("backup.expire").await.len(), 6);
    let log = "SELECT DISTINCT detail ->> 'reason' FROM public.rovodev_audit_log WHERE action = 'backup.expire'";
    let row = client.query_one(log, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "by retention of schedule Nightly");
    let left =
        "SELECT count(*) FROM public.rovodev_jobs WHERE kind = 'delete' AND state = 'completed'";
    for _ in 0..600 {
        if client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) == 6 {
            return;
        }
        // Deletions that met in the store wait for a tick.
        running
            .call(CRON_SECRET, "GET", "/api/cron/tick", None)
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let told = "SELECT string_agg(concat_ws(' ', state, last_error), '; ') FROM public.rovodev_jobs WHERE kind = 'delete'";
    let row = client.query_one(told, &[]).await.unwrap();
    panic!(
        "the deletions do not end: {:?}",
        row.get::<_, Option<String>>(0)
    );
}

/// What was decided on an older state of things is not carried out against the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_the_look_stays() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let last = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database", "retention": { "keepLast": 1 } });
    let id = running.scheduled(&admin, last).await;
    with_backups(&running, &id, 3).await;
    let client = running.superuser().await;
    // The decision of a tick that looked before the last good backup was deleted, and before one was pinned.
    let expire = async |pinned: bool| -> i32 {
        client
            .batch_execute(&format!(
                "UPDATE public.backups SET pinned = {pinned} WHERE name = 'day 2'"
            ))
            .await
            .unwrap();
        let sql = "SELECT public.rovodev_expire_backups($1::text::uuid, \
                 ARRAY(SELECT id FROM public.backups WHERE name IN ('day 2', 'day 3') ORDER BY id), \
                 (SELECT id FROM public.backups WHERE name = 'day 0'), now())";
        client.query_one(sql, &[&id]).await.unwrap().get(0)
    };
    let deleted = "UPDATE public.backups SET deleted_at = now() WHERE name = 'day 0'";
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(deleted).await.unwrap();
    assert_eq!(
        expire(false).await,
        0,
        "the last good one is not there any more"
    );
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(expire(true).await, 1, "the pinned one stays");
    let catalog = catalog(&running);
    let gone = expire_due(&catalog, Utc::now(), patience()).await.unwrap();
    assert_eq!(gone, 1, "day 1 alone is left to go");
    let together = (0..4).map(|_| expire_due(&catalog, Utc::now(), patience()));
    for gone in futures_util::future::join_all(together).await {
        assert_eq!(gone.unwrap(), 0);
    }
}
