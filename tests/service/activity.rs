//! `/api/workspace/activity`: the audit log as people read it.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

async fn read(running: &Running, token: &str, query: &str) -> Value {
    let path = format!("/api/workspace/activity?{query}");
    let (status, told) = running.call(token, "GET", &path, None).await;
    assert_eq!(status, 200, "{told}");
    told
}

fn of<'a>(told: &'a Value, field: &str) -> Vec<&'a Value> {
    let entries = told["activity"].as_array().unwrap().iter();
    entries.map(|entry| &entry[field]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_told_newest_first_and_filtered() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let viewer = running.sign_in(Person::Viewer).await;
    let named = json!({ "type": "config", "name": "before the import" });
    let backup = running.backed_up(&admin, named).await;
    let (status, _) = running
        .call(&viewer, "POST", "/api/backups/create", None)
        .await;
    assert_eq!(status, 403);

    let all = read(&running, &viewer, "").await;
    assert_eq!(
        of(&all, "action"),
        ["backup.create", "backup", "backup.create"]
    );
    assert_eq!(of(&all, "outcome"), ["refused", "done", "done"]);
    assert_eq!(of(&all, "code")[0], "forbidden");
    assert_eq!(all["nextCursor"], Value::Null);
    let own = &all["activity"][2];
    assert_eq!(
        (&own["backupId"], &own["backupName"]),
        (&json!(backup), &json!("before the import"))
    );
    assert_eq!(own["actor"], Person::Admin.email());

    for (query, left) in [
        ("action=backup.create", 2),
        ("action=backup.create&outcome=done", 1),
        ("outcome=refused,failed", 1),
        ("q=IMPORT", 2),
        ("q=viewer%40", 1),
        ("to=2020-01-01T00:00:00Z", 0),
        ("from=2020-01-01T00:00:00Z", 3),
    ] {
        let told = read(&running, &viewer, query).await;
        assert_eq!(of(&told, "id").len(), left, "{query}: {told}");
    }
    let first = read(&running, &viewer, "limit=2").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = read(&running, &viewer, &format!("limit=2&cursor={cursor}")).await;
    let both = [of(&first, "id"), of(&second, "id")].concat();
    assert_eq!(both, of(&all, "id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_leaves_as_a_file_and_stands_in_the_log() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let many = "SELECT rovodev.audit(t.id, 'job', 'backup', 'backup', NULL, 'done', NULL, NULL, \
            jsonb_build_object('name', '=cmd|' || n)) \
        FROM rovodev_tenants t, generate_series(1, 451) n WHERE t.slug = 'default'";
    running.superuser().await.batch_execute(many).await.unwrap();
    let file = |format: &'static str| {
        running
            .request("GET", &format!("/api/workspace/activity?format={format}"))
            .bearer_auth(&admin)
            .send()
    };
    let answer = file("csv").await.unwrap();
    let name = answer.headers()["content-disposition"].to_str().unwrap();
    assert_eq!(name, "attachment; filename=\"activity.csv\"");
    let text = answer.bytes().await.unwrap();
    let mut csv = csv::Reader::from_reader(&text[..]);
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    // The export itself is the newest.
    assert_eq!(
        (rows.len(), &rows[0][4], &rows[1][11]),
        (452, "activity.export", "'=cmd|451")
    );
    let list = file("json").await.unwrap().bytes().await.unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["activity"].as_array().unwrap().len(), 453);
    let done = ("done".to_string(), None);
    assert_eq!(
        running.audited("activity.export").await,
        [done.clone(), done]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_parts_lead_nowhere_and_other_tenants_are_not_seen() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let customer = running.sign_in(Person::Customer).await;
    running.backed_up(&admin, json!({ "type": "config" })).await;
    assert_eq!(of(&read(&running, &customer, "").await, "id").len(), 0);
    for part in ["members", "activity/x", "x"] {
        let path = format!("/api/workspace/{part}");
        let (status, told) = running.call(&admin, "GET", &path, None).await;
        assert_eq!(
            (status, &told["code"]),
            (404, &json!("not_found")),
            "{part}"
        );
    }
    // Vercel repeats the part in the query.
    assert_eq!(
        of(&read(&running, &admin, "part=activity").await, "id").len(),
        2
    );
    let (status, _) = running
        .call(&admin, "GET", "/api/workspace/activity?part=members", None)
        .await;
    assert_eq!(status, 400);
}
