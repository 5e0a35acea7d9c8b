//! What the tick finds, who hears of it, and where it shows.

use crate::notify::receiver::{Receiver, reaching};
use crate::stack::Running;
use rovodev::config::Settings;
use rovodev::ports::store::Store;
use rovodev::tasks::places;
use serde_json::{Value, json};
use std::time::Duration;

fn store(running: &Running) -> Store {
    places::store(&Settings::of(running.variables.clone())).unwrap()
}

/// As if everything had been read back long ago.
async fn a_week_later(running: &Running) {
    let sql = "UPDATE public.backups SET checked_at = now() - interval '8 days' WHERE checked_at IS NOT NULL; \
         UPDATE public.rovodev_notification_folds SET told_at = told_at - interval '8 days', first_at = first_at - interval '8 days'";
    running.superuser().await.batch_execute(sql).await.unwrap();
}

/// Ticks until a backup was read back, now.
async fn checked(running: &Running, admin: &str, id: &str) -> Value {
    running.tick().await;
    let fresh = "SELECT checked_at > now() - interval '1 hour' FROM public.backups WHERE id = $1::text::uuid";
    for _ in 0..600 {
        let row = running.superuser().await.query_one(fresh, &[&id]).await;
        if row.unwrap().get::<_, Option<bool>>(0) == Some(true) {
            let path = format!("/api/backups/{id}/details");
            let (status, details) = running.call(admin, "GET", &path, None).await;
            assert_eq!(status, 200, "{details}");
            return details;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is not read back");
}

async fn listed(running: &Running, admin: &str, id: &str) -> Value {
    let (_, page) = running.call(admin, "GET", "/api/backups/list", None).await;
    let backups = page["backups"].as_array().unwrap();
    backups.iter().find(|b| b["id"] == id).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_store_is_found_and_told_and_so_is_its_end() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["verification.failed"] });
    running.channel(&admin, body).await;
    let id = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let whole = checked(&running, &admin, &id).await;
    assert_eq!(
        (&whole["damaged"], &whole["check"]["damage"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(whole["check"]["bytes"], whole["size"], "all of it was read");
    assert!(whole["check"]["milliseconds"].is_u64());

    let store = store(&running);
    let key = store.list("segments/").await.unwrap()[0].key.clone();
    let good = store.get(&key).await.unwrap();
    store.put_replace(&key, "rotten".into()).await.unwrap();
    a_week_later(&running).await;
    let damaged = checked(&running, &admin, &id).await;
    let damage = &damaged["check"]["damage"];
    assert_eq!(
        (&damaged["damaged"], &damage["objects"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(damage["examples"][0]["object"], key);
    assert_eq!(damage["examples"][0]["code"], "object_damaged");
    let table = damage["concerns"][0].as_str().unwrap();
    assert_eq!(listed(&running, &admin, &id).await["damaged"], true);
    let told = receiver.until(1).await[0].json();
    assert_eq!(told["type"], "verification.failed");
    assert_eq!(told["data"]["backup"]["id"], id.as_str());
    let words = told["data"]["error"]["message"].as_str().unwrap();
    assert_eq!(
        words,
        format!("One stored object is gone or not what was written. Concerned: {table}.")
    );

    // That it is still so is no news.
    a_week_later(&running).await;
    checked(&running, &admin, &id).await;

    store.put_replace(&key, good).await.unwrap();
    a_week_later(&running).await;
    let mended = checked(&running, &admin, &id).await;
    assert_eq!(
        (&mended["damaged"], &mended["check"]["damage"]),
        (&json!(false), &Value::Null)
    );
    let told: Vec<Value> = receiver.until(2).await.iter().map(|g| g.json()).collect();
    assert_eq!(told[1]["type"], "verification.recovered");
    assert_eq!(told[1]["data"]["recovered"]["failures"], 1);
    assert_eq!(told.len(), 2);
}

/// A manifest that is gone is damage of the whole backup; a store that is silent is none at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_its_manifest_is_damaged() {
    let running = reaching().await;
    let admin = running.admin().await;
    let id = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    checked(&running, &admin, &id).await;
    let store = store(&running);
    let all = store.list("backups/").await.unwrap();
    let manifest = all.iter().find(|o| o.key.contains("manifest")).unwrap();
    store
        .delete(std::slice::from_ref(&manifest.key))
        .await
        .unwrap();
    a_week_later(&running).await;
    let damaged = checked(&running, &admin, &id).await;
    let damage = &damaged["check"]["damage"];
    assert_eq!(
        (&damage["objects"], &damage["concerns"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(damage["examples"][0]["code"], "backup_not_found");
}

/// The last good backup is one that can be restored.
#[tokio::test(flavor = "multi_thread")]
async fn retention_counts_no_damaged_backup_as_the_last_good_one() {
    let running = reaching().await;
    let admin = running.admin().await;
    let schedule = json!({ "name": "Daily", "cron": "0 2 * * *", "type": "database", "retention": { "keepLast": 1 } });
    let id = running.scheduled(&admin, schedule).await;
    let sql = format!(
        "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, schedule_id, status, manifest_key, finished_at,
             created_at, checked_at, damage)
         SELECT s.tenant_id, b.name, 'backups/default/x', 'database', s.id, 'completed', 'x', now(), now() - b.age, now(), b.damage
         FROM public.backup_schedules s, (VALUES
             ('newest', interval '1 day', '{{\"objects\": 1, \"concerns\": [], \"examples\": []}}'::jsonb),
             ('whole', interval '2 days', NULL), ('older', interval '3 days', NULL)) AS b (name, age, damage)
         WHERE s.id = '{id}'"
    );
    running.superuser().await.batch_execute(&sql).await.unwrap();
    let path = format!("/api/schedules?id={id}&preview=retention");
    let (status, preview) = running.call(&admin, "GET", &path, None).await;
    assert_eq!(status, 200, "{preview}");
    let decided: Vec<(&str, bool, bool)> = preview["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| {
            (
                b["name"].as_str().unwrap(),
                b["damaged"] == true,
                b["keep"] == true,
            )
        })
        .collect();
    let expected = [
        ("newest", true, true),
        ("whole", false, true),
        ("older", false, false),
    ];
    assert_eq!(decided, expected, "{preview}");

    // What is found damaged between the look and the deletion keeps everything.
    let race = format!(
        "SELECT public.rovodev_expire_backups('{id}', (SELECT array_agg(id) FROM public.backups WHERE name = 'older'),
             (SELECT id FROM public.backups WHERE name = 'newest'), now())"
    );
    let gone: i32 = running
        .superuser()
        .await
        .query_one(&race, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(gone, 0);
}
