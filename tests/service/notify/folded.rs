//! No flood: the same failure is told once an hour, and that it is over, once.

use super::receiver::{Receiver, reaching};
use crate::stack::Running;
use serde_json::{Value, json};

/// Backups of a schedule that end at once, as a worker's last word ends them.
async fn ends(running: &Running, schedule: &str, status: &str, code: &str, times: i32) {
    let sql = "
        WITH made AS (
            INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, trigger, schedule_id, status)
            SELECT s.tenant_id, s.name, 'x', 'database', 'scheduled', s.id, 'in_progress'
            FROM public.backup_schedules s, generate_series(1, $4::integer) WHERE s.id = $1::text::uuid RETURNING id
        ) SELECT id::text FROM made WHERE $2::text <> '' AND $3::text IS NOT NULL";
    let client = running.superuser().await;
    let rows = client
        .query(sql, &[&schedule, &status, &code, &times])
        .await
        .unwrap();
    for row in rows {
        let end = "UPDATE public.backups SET status = $2, error_code = nullif($3, ''), \
             error_message = CASE WHEN $3 <> '' THEN 'told' END, manifest_key = 'x', finished_at = now() WHERE id = $1::text::uuid";
        let id: String = row.get(0);
        client.execute(end, &[&id, &status, &code]).await.unwrap();
    }
}

async fn an_hour_later(running: &Running) {
    let sql =
        "UPDATE public.rovodev_notification_folds SET told_at = told_at - interval '61 minutes'";
    running.superuser().await.batch_execute(sql).await.unwrap();
}

/// What came since `known` requests: event, failures folded, failures ended.
async fn told(running: &Running, receiver: &Receiver, known: usize) -> Vec<(String, Value, Value)> {
    running.tick().await;
    // What the tick sends behind its answer is sent when nothing waits any more.
    let waiting =
        "SELECT count(*) FROM public.rovodev_notification_deliveries WHERE state = 'waiting'";
    let client = running.superuser().await;
    for _ in 0..600 {
        if client
            .query_one(waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let got = receiver.got().into_iter().skip(known).map(|g| g.json());
    got.map(|m| {
        let folded = m["data"]["folded"].clone();
        let ended = m["data"]["recovered"]["failures"].clone();
        (m["type"].as_str().unwrap().to_string(), folded, ended)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_failure_is_told_once_an_hour_and_its_end_once() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["backup.failed"] });
    running.channel(&admin, body).await;
    let schedule = json!({ "name": "Often", "cron": "*/5 * * * *", "type": "database" });
    let often = running.scheduled(&admin, schedule.clone()).await;
    let other = running.scheduled(&admin, schedule).await;
    let failed = |folded: Value| ("backup.failed".to_string(), folded, Value::Null);

    ends(&running, &often, "failed", "store_full", 12).await;
    assert_eq!(told(&running, &receiver, 0).await, [failed(Value::Null)]);
    // Another reason, or another schedule, is another failure.
    ends(&running, &often, "failed", "store_auth", 1).await;
    ends(&running, &other, "failed", "store_full", 1).await;
    assert_eq!(
        told(&running, &receiver, 1).await,
        [failed(Value::Null), failed(Value::Null)]
    );

    an_hour_later(&running).await;
    ends(&running, &often, "failed", "store_full", 3).await;
    assert_eq!(told(&running, &receiver, 3).await, [failed(json!(11))]);

    ends(&running, &often, "completed", "", 3).await;
    let over = ("backup.succeeded".to_string(), Value::Null, json!(16));
    assert_eq!(told(&running, &receiver, 4).await, [over]);

    // It begins anew, at once.
    ends(&running, &often, "failed", "store_full", 1).await;
    assert_eq!(told(&running, &receiver, 5).await, [failed(Value::Null)]);
}

/// Addresses may be anybody's: good news is limited, and leaves room for bad.
#[tokio::test(flavor = "multi_thread")]
async fn mails_of_a_channel_are_limited() {
    let running = reaching().await;
    let admin = running.admin().await;
    let both = json!(["backup.failed", "backup.succeeded"]);
    let mail =
        json!({ "kind": "email", "name": "n", "target": "somebody@example.com", "events": both });
    let made = running
        .rpc(&admin, "rovodev_create_channel", json!({ "request": mail }))
        .await;
    let id = made["channel"]["id"].as_str().unwrap();
    let schedule = json!({ "name": "Often", "cron": "*/5 * * * *", "type": "database" });
    let often = running.scheduled(&admin, schedule).await;
    let states = async || {
        let log = running.deliveries(&admin, id).await;
        let count = |state: &str| log.iter().filter(|d| d["state"] == state).count();
        (log[0]["state"].clone(), count("failed"))
    };
    ends(&running, &often, "completed", "", 62).await;
    assert_eq!(states().await, (json!("failed"), 2));
    ends(&running, &often, "failed", "store_full", 1).await;
    ends(&running, &often, "completed", "", 1).await;
    assert_eq!(
        states().await,
        (json!("waiting"), 2),
        "bad news, and its end"
    );
    ends(&running, &often, "completed", "", 1).await;
    assert_eq!(states().await.0, "failed");
    let sql = "UPDATE public.rovodev_notification_deliveries SET created_at = created_at - interval '1 hour'";
    running.superuser().await.batch_execute(sql).await.unwrap();
    ends(&running, &often, "completed", "", 1).await;
    assert_eq!(states().await.0, "waiting", "another hour");
}

/// A channel hears what it asked for: its own tenant, its own schedule, its own events.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_what_is_not_theirs() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let customer = running.sign_in(crate::stack::Person::Customer).await;
    let schedule = json!({ "name": "Daily", "cron": "0 2 * * *", "type": "database" });
    let (one, two) = (
        running.scheduled(&admin, schedule.clone()).await,
        running.scheduled(&admin, schedule.clone()).await,
    );
    let channel = |path: &str, schedule: Value| {
        json!({ "kind": "webhook", "name": "n", "target": format!("{}/{path}", receiver.url),
            "events": ["backup.failed"], "scheduleId": schedule })
    };
    running.channel(&admin, channel("one", json!(one))).await;
    running
        .channel(&customer, channel("customer", Value::Null))
        .await;
    let (off, _) = running.channel(&admin, channel("off", Value::Null)).await;
    let path = format!("/api/workspace/channels?id={off}");
    let change = Some(json!({ "enabled": false }));
    assert_eq!(running.call(&admin, "PATCH", &path, change).await.0, 200);

    ends(&running, &two, "failed", "store_full", 1).await;
    ends(&running, &one, "failed", "store_full", 1).await;
    assert_eq!(told(&running, &receiver, 0).await.len(), 1);
    assert_eq!(receiver.got()[0].path, "/one");

    // What its tenant may not see is told to nobody.
    let own = running.scheduled(&customer, schedule).await;
    ends(&running, &own, "failed", "store_full", 1).await;
    assert_eq!(told(&running, &receiver, 1).await, []);
}
