//! A backup from its request to its restore.

use crate::stack::{CRON_SECRET, Person, Running};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn asked_for_taken_listed_restored() {
    whole_way(Running::start().await).await;
}

pub async fn whole_way(running: Running) {
    let admin = running.sign_in(Person::Admin).await;
    let (status, created) = running
        .call(
            &admin,
            "POST",
            "/api/backups/create",
            Some(json!({ "type": "database", "name": "first" })),
        )
        .await;
    assert_eq!(status, 202, "{created}");
    let id = created["id"].as_str().unwrap();
    let status_path = format!("/api/backups/{id}/restore/status");
    let ended = running.ended(&admin, &status_path).await;
    assert_eq!(ended["status"], "completed", "{ended}");

    let (status, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    assert_eq!(
        (status, &list["total"], &list["backups"][0]["name"]),
        (200, &json!(1), &json!("first"))
    );
    let path = format!("/api/backups/{id}/details");
    let rename = json!({ "name": "renamed" });
    let (_, details) = running.call(&admin, "PATCH", &path, Some(rename)).await;
    let calls = details["contents"]["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "calls");
    assert_eq!(calls.unwrap()["records"], 1145, "{details}");

    let mut owner = local::supabase::connect(&running.stack.postgres.owner_url("postgres"))
        .await
        .unwrap();
    let before = local::demo::contents(&mut owner).await.unwrap();
    local::demo::damage(&mut owner).await.unwrap();
    assert_ne!(local::demo::contents(&mut owner).await.unwrap(), before);
    let (status, asked) = running
        .call(
            &admin,
            "POST",
            &format!("/api/backups/{id}/restore"),
            Some(json!({ "mode": "exact" })),
        )
        .await;
    assert_eq!(status, 202, "{asked}");
    let restored = running.ended(&admin, &status_path).await;
    assert_eq!(restored["status"], "completed", "{restored}");
    assert_eq!(restored["plan"]["backupName"], "renamed", "{restored}");
    assert_eq!(local::demo::contents(&mut owner).await.unwrap(), before);
}

/// As on the command line: what is refused or has nothing to do leaves no safety backup, and rows without parents are
/// left out only where somebody says so.
#[tokio::test(flavor = "multi_thread")]
async fn refused_empty_and_partial_restores() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let body = json!({ "type": "database", "name": "first" });
    let create = running.call(&admin, "POST", "/api/backups/create", Some(body));
    let id = create.await.1["id"].as_str().unwrap().to_string();
    let status = format!("/api/backups/{id}/restore/status");
    let taken = running.ended(&admin, &status).await;
    assert_eq!(taken["status"], "completed", "{taken}");
    let path = format!("/api/backups/{id}/restore");
    let (code, refused) = running
        .call(&admin, "POST", &path, Some(json!({ "leaveChanged": true })))
        .await;
    assert_eq!(code, 400, "{refused}");

    let database = local::supabase::connect(&running.stack.postgres.url("postgres"))
        .await
        .unwrap();
    let events = json!(["call_events"]);
    for (damage, body, ended, told, safety) in [
        ("", json!({ "mode": "exact" }), "completed", "", "cancelled"),
        (
            "DELETE FROM public.calls WHERE id IN (SELECT call_id FROM public.call_events LIMIT 1)",
            json!({ "tables": events, "force": true }),
            "failed",
            "missing_parent",
            "cancelled",
        ),
        (
            "DELETE FROM public.call_events WHERE id IN (SELECT id FROM public.call_events LIMIT 1)",
            json!({ "tables": events, "leaveOutOrphans": true }),
            "completed",
            "rows_left_out",
            "completed",
        ),
    ] {
        database.batch_execute(damage).await.unwrap();
        let (code, asked) = running.call(&admin, "POST", &path, Some(body)).await;
        assert_eq!(code, 202, "{asked}");
        let done = running.ended(&admin, &status).await;
        assert_eq!(done["status"], ended, "{done}");
        assert!(done.to_string().contains(told), "{done}");
        let kept = "SELECT status::text FROM public.backups WHERE id::text = $1";
        let id = asked["safetyBackupId"].as_str().unwrap();
        let row = database.query_one(kept, &[&id]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), safety, "{done}");
    }
    let restored = "SELECT count(*) FROM public.call_events";
    let restored: i64 = database.query_one(restored, &[]).await.unwrap().get(0);
    let gone = "SELECT count(*) FROM public.calls";
    let calls: i64 = database.query_one(gone, &[]).await.unwrap().get(0);
    assert_eq!(calls, 1144, "the call stays away");
    assert!(restored < 102, "and so do its events");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_what_is_not_theirs() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let viewer = running.sign_in(Person::Viewer).await;
    let customer = running.sign_in(Person::Customer).await;
    let create = "/api/backups/create";
    let (_, created) = running
        .call(&admin, "POST", create, Some(json!({ "type": "config" })))
        .await;
    let details = format!("/api/backups/{}/details", created["id"].as_str().unwrap());
    let restore = format!("/api/backups/{}/restore", created["id"].as_str().unwrap());
    let body = || Some(json!({}));
    for (token, method, path, body, expected) in [
        (viewer.as_str(), "GET", details.as_str(), None, 200),
        (&viewer, "POST", create, body(), 403),
        (&viewer, "POST", &restore, body(), 403),
        (&viewer, "DELETE", &details, None, 403),
        (&customer, "GET", &details, None, 404),
        (&customer, "PATCH", &details, body(), 404),
        (&customer, "POST", &restore, body(), 404),
        (&customer, "DELETE", &details, None, 404),
        (
            &customer,
            "POST",
            create,
            Some(json!({ "type": "config" })),
            403,
        ),
        (&admin, "POST", create, Some(json!({ "kind": "full" })), 400),
        (&admin, "PUT", create, body(), 405),
        ("forged", "GET", "/api/backups/list", None, 401),
        ("forged", "GET", "/api/cron/tick", None, 401),
        (&admin, "GET", "/api/cron/tick", None, 401),
        (CRON_SECRET, "GET", "/api/cron/tick", None, 200),
        (&admin, "GET", "/api/nothing", None, 404),
    ] {
        let (status, told) = running.call(token, method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {told}");
        assert!(status < 400 || told["code"].is_string(), "{told}");
    }
    let (_, list) = running
        .call(&customer, "GET", "/api/backups/list", None)
        .await;
    assert_eq!(list["total"], 0, "{list}");
    let foreign = running
        .request("POST", create)
        .bearer_auth(&admin)
        .header("origin", "https://elsewhere.example")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(foreign.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_operators_all_and_customers_their_rows() {
    let running = Running::start().await;
    let live = running
        .request("GET", "/api/status/health?probe=live")
        .send()
        .await
        .unwrap();
    assert_eq!(live.status(), 200);
    let admin = running.sign_in(Person::Admin).await;
    let whole = running.well(&admin).await;
    assert_eq!(whole["config"]["missing"], json!([]));
    let customer = running.sign_in(Person::Customer).await;
    let (_, own) = running
        .call(&customer, "GET", "/api/status/health", None)
        .await;
    assert!(
        own.get("config").is_none() && own.get("deployment").is_none(),
        "{own}"
    );
    assert_eq!(own["database"]["records"], json!(null));
}

/// A deletion that waited for somebody who pins the backup finds it pinned; a change that waited for a deletion finds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_pin_and_a_deletion_at_once_never_both_happen() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running.backed_up(&admin, json!({ "type": "config" })).await;
    let details = format!("/api/backups/{id}/details");
    let (mut holder, watcher) = (running.superuser().await, running.superuser().await);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' ";
    for (change, (method, body), expected) in [
        ("pinned = true", ("DELETE", None), 409),
        (
            "pinned = false, deleted_at = now()",
            ("PATCH", Some(json!({ "pinned": true }))),
            404,
        ),
    ] {
        let held = holder.transaction().await.unwrap();
        let sql = format!("UPDATE public.backups SET {change} WHERE id::text = $1");
        held.execute(&sql, &[&id]).await.unwrap();
        let call = running.call(&admin, method, &details, body);
        let let_go = async {
            while watcher
                .query_one(waits, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
                < 1
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            held.commit().await.unwrap();
        };
        let ((status, told), ()) = tokio::join!(call, let_go);
        assert_eq!(status, expected, "{told}");
    }
    let row = "SELECT pinned FROM public.backups WHERE id::text = $1";
    let row = watcher.query_one(row, &[&id]).await.unwrap();
    assert!(!row.get::<_, bool>(0), "a deleted backup was pinned");
}

/// There and back again: each undo is an operation of its own that the next one reverses.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_can_be_undone() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let (path, mut owner) = (format!("/api/backups/{id}/restore"), running.owner().await);
    let whole = local::demo::contents(&mut owner).await.unwrap();
    local::demo::damage(&mut owner).await.unwrap();
    let damaged = local::demo::contents(&mut owner).await.unwrap();
    let mut turns = Vec::new();
    for (undone, expected) in [
        (None, &whole),
        (Some(0), &damaged),
        (Some(1), &whole),
        (Some(0), &damaged),
    ] {
        let body = match undone {
            Some(turn) => json!({ "undo": turns[turn] }),
            None => json!({ "mode": "exact" }),
        };
        let (status, asked) = running.call(&admin, "POST", &path, Some(body)).await;
        assert_eq!(status, 202, "{asked}");
        let ended = running.ended(&admin, &format!("{path}/status")).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        assert_eq!(&local::demo::contents(&mut owner).await.unwrap(), expected);
        turns.push(asked["operationId"].clone());
    }
}
