//! Making, changing, showing, running and deleting.

use crate::stack::{Person, Running};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

const PATH: &str = "/api/schedules";

fn daily() -> Value {
    json!({
        "name": "Daily Backup", "cron": "0 2 * * *", "timezone": "Europe/Berlin", "type": "database",
        "retention": { "keepDaily": 7, "keepWeekly": 4 },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_shows_when_it_runs_and_can_be_changed() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let (status, made) = running.call(&admin, "POST", PATH, Some(daily())).await;
    assert_eq!(status, 201, "{made}");
    let runs = made["nextRuns"].as_array().unwrap();
    assert_eq!(runs.len(), 5);
    let jitter = made["jitterSeconds"].as_i64().unwrap();
    for run in runs {
        let local = run["local"].as_str().unwrap();
        assert!(local.contains("T02:00:00+0"), "{run}");
        let at: DateTime<Utc> = run["at"].as_str().unwrap().parse().unwrap();
        let nominal: DateTime<Utc> = local.parse().unwrap();
        assert_eq!((at - nominal).num_seconds(), jitter);
    }
    assert_eq!(instant(&made["nextRunAt"]), instant(&runs[0]["at"]));
    assert_eq!(made["components"], json!(["database"]));
    let id = made["id"].as_str().unwrap();
    let place = format!("{PATH}?id={id}");
    let (_, listed) = running.call(&admin, "GET", PATH, None).await;
    assert_eq!(listed["schedules"][0]["id"], made["id"]);

    let change = async |body: Value| {
        let (status, changed) = running.call(&admin, "PATCH", &place, Some(body)).await;
        assert_eq!(status, 200, "{changed}");
        changed
    };
    let named = change(json!({ "name": "Nightly", "retention": {} })).await;
    assert_eq!(instant(&named["nextRunAt"]), instant(&made["nextRunAt"]));
    assert_eq!(
        (&named["name"], &named["retention"]),
        (&json!("Nightly"), &json!({}))
    );
    let moved = change(json!({ "cron": "30 3 * * *", "timezone": "UTC" })).await;
    assert!(
        moved["nextRuns"][0]["local"]
            .as_str()
            .unwrap()
            .contains("T03:30:00Z")
    );
    let off = change(json!({ "enabled": false })).await;
    assert_eq!(
        (&off["nextRunAt"], &off["nextRuns"]),
        (&Value::Null, &json!([]))
    );
    let on = change(json!({ "enabled": true })).await;
    assert_eq!(instant(&on["nextRunAt"]), instant(&on["nextRuns"][0]["at"]));
    let by_hand = change(json!({ "trigger": "manual" })).await;
    assert_eq!(
        (&by_hand["cron"], &by_hand["nextRunAt"]),
        (&Value::Null, &Value::Null)
    );
    let (status, told) = running
        .call(&admin, "PATCH", &place, Some(json!({ "trigger": "cron" })))
        .await;
    assert_eq!((status, &told["code"]), (400, &json!("bad_schedule")));
    let log = running.audited("schedule.change").await;
    assert_eq!(log.len(), 5, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_schedule_would_do_and_makes_nothing() {
    let running = Running::start().await;
    let viewer = running.sign_in(Person::Viewer).await;
    let plan = async |body: Value| running.call(&viewer, "POST", PATH, Some(body)).await;
    let draft = json!({ "preview": true, "cron": "30 2 * * *", "timezone": "Europe/Berlin" });
    let (status, planned) = plan(draft).await;
    assert_eq!(status, 200, "{planned}");
    let runs = planned["nextRuns"].as_array().unwrap();
    assert_eq!(runs.len(), 5);
    assert!(runs[0]["local"].as_str().unwrap().contains("T02:30:00+0"));
    assert_eq!(planned["retention"], Value::Null);
    let (_, listed) = running.call(&viewer, "GET", PATH, None).await;
    assert_eq!(listed, json!({ "schedules": [] }));
    let (_, no_times) = plan(json!({ "preview": true })).await;
    assert_eq!(no_times, json!({ "nextRuns": [], "retention": null }));
    for (body, code) in [
        (json!({ "preview": false }), "bad_field"),
        (json!({ "preview": true, "name": "n" }), "bad_field"),
        (
            json!({ "preview": true, "cron": "0 25 * * *" }),
            "bad_schedule",
        ),
        (
            json!({ "preview": true, "timezone": "Berlin" }),
            "bad_schedule",
        ),
        (
            json!({ "preview": true, "retention": { "keepLast": 0 } }),
            "bad_schedule",
        ),
    ] {
        let (status, told) = plan(body.clone()).await;
        assert_eq!((status, &told["code"]), (400, &json!(code)), "{body}");
    }
    let stranger = running.sign_in(Person::Stranger).await;
    let draft = Some(json!({ "preview": true }));
    assert_eq!(running.call(&stranger, "POST", PATH, draft).await.0, 403);

    let admin = running.sign_in(Person::Admin).await;
    let (_, made) = running.call(&admin, "POST", PATH, Some(daily())).await;
    let (_, begun) = running
        .call(&admin, "POST", PATH, Some(json!({ "runNow": made["id"] })))
        .await;
    let policy = json!({ "keepLast": 3 });
    let draft = json!({ "preview": true, "id": made["id"], "retention": policy });
    let (status, planned) = plan(draft).await;
    assert_eq!(status, 200, "{planned}");
    let kept = &planned["retention"];
    assert_eq!(kept["retention"], policy);
    assert_eq!(kept["timezone"], "Europe/Berlin");
    assert_eq!(kept["backups"][0]["id"], begun["id"]);
    let (_, saved) = running
        .call(
            &admin,
            "GET",
            &format!("{PATH}?id={}", made["id"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(saved["retention"], daily()["retention"], "nothing is saved");
}

fn instant(told: &Value) -> DateTime<Utc> {
    told.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_what_to_write() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    for (body, code, part) in [
        (
            json!({ "name": "n" }),
            "bad_schedule",
            "needs a cron expression",
        ),
        (
            json!({ "cron": "0 2 * * *" }),
            "bad_schedule",
            "needs a name",
        ),
        (
            json!({ "name": "a/b", "cron": "0 2 * * *" }),
            "usage",
            "name",
        ),
        (
            json!({ "name": "n", "cron": "0 25 * * *" }),
            "bad_schedule",
            "the hour of",
        ),
        (
            json!({ "name": "n", "cron": "0 2 30 2 *" }),
            "bad_schedule",
            "never comes",
        ),
        (
            json!({ "name": "n", "cron": "* * * * *" }),
            "bad_schedule",
            "every 5 is the most",
        ),
        (
            json!({ "name": "n", "cron": "0 2 * * *", "timezone": "Berlin" }),
            "bad_schedule",
            "no time zone",
        ),
        (
            json!({ "name": "n", "cron": "0 2 * * *", "retention": { "keepLast": 0 } }),
            "bad_schedule",
            "keepLast",
        ),
        (
            json!({ "name": "n", "cron": "0 2 * * *", "retention": { "keep": 1 } }),
            "bad_field",
            "keep",
        ),
        (
            json!({ "name": "n", "cron": "0 2 * * *", "trigger": "manual" }),
            "bad_schedule",
            "only a schedule",
        ),
        (
            json!({ "name": { "a": 1 }, "cron": "0 2 * * *" }),
            "bad_field",
            "name",
        ),
        (json!({ "runNow": "x" }), "bad_field", "UUID"),
        (
            json!({ "runNow": uuid::Uuid::nil(), "name": "n" }),
            "bad_field",
            "name",
        ),
    ] {
        let (status, told) = running.call(&admin, "POST", PATH, Some(body.clone())).await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!(code)),
            "{body} {told}"
        );
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{body} {told}");
    }
    for path in [
        "/api/schedules?preview=retention",
        "/api/schedules?id=x&preview=all",
    ] {
        let (status, _) = running.call(&admin, "GET", path, None).await;
        assert!([400, 404].contains(&status), "{path}");
    }
    assert_eq!(running.call(&admin, "DELETE", PATH, None).await.0, 400);
    let customer = running.sign_in(Person::Customer).await;
    let config = json!({ "name": "n", "cron": "0 2 * * *", "type": "config" });
    let (status, told) = running.call(&customer, "POST", PATH, Some(config)).await;
    assert_eq!((status, &told["code"]), (403, &json!("scoped")));
    let full = json!({ "name": "n", "cron": "0 2 * * *" });
    let (_, made) = running.call(&customer, "POST", PATH, Some(full)).await;
    assert_eq!(made["type"], "database", "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_now_and_its_backups_outlive_it() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running.scheduled(&admin, daily()).await;
    let (status, begun) = running
        .call(&admin, "POST", PATH, Some(json!({ "runNow": id })))
        .await;
    assert_eq!(status, 202, "{begun}");
    let backup = begun["id"].as_str().unwrap();
    let status = format!("/api/backups/{backup}/restore/status");
    let ended = running.ended(&admin, &status).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let place = format!("{PATH}?id={id}");
    let (_, shown) = running.call(&admin, "GET", &place, None).await;
    assert_eq!(
        (&shown["lastResult"], &shown["lastBackupId"]),
        (&json!("completed"), &begun["id"])
    );
    let preview = format!("{place}&preview=retention");
    let (_, previewed) = running.call(&admin, "GET", &preview, None).await;
    assert_eq!(
        (&previewed["keeps"], &previewed["expires"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(previewed["backups"][0]["reasons"][0]["code"], "last_good");
    assert_eq!(running.call(&admin, "DELETE", &place, None).await.0, 204);
    assert_eq!(running.call(&admin, "GET", &place, None).await.0, 404);
    let details = format!("/api/backups/{backup}/details");
    let (status, kept) = running.call(&admin, "GET", &details, None).await;
    assert_eq!((status, &kept["trigger"]), (200, &json!("manual")));
    assert!(
        kept["name"]
            .as_str()
            .unwrap()
            .starts_with("Daily Backup_20"),
        "{kept}"
    );
}
