//! `/api/workspace/restores`: who else restores.

use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn read(running: &Running, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/workspace/restores?{query}");
    let (status, told) = running.call(token, "GET", &path, None).await;
    assert_eq!(status, 200, "{told}");
    told["restores"].as_array().unwrap().clone()
}

/// Until the catalog tells the restore to be waiting for a lock.
async fn waiting_for_a_lock(running: &Running, token: &str) -> Value {
    for _ in 0..600 {
        let restores = read(running, token, "status=pending,in_progress").await;
        if let Some(first) = restores.first()
            && first["progress"]["notice"].is_string()
        {
            return first.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no restore waits for a lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_under_way_is_known_to_everybody_of_its_tenant() {
    let running = Running::start().await;
    let (admin, viewer, customer) = (
        running.sign_in(Person::Admin).await,
        running.sign_in(Person::Viewer).await,
        running.sign_in(Person::Customer).await,
    );
    let named = json!({ "type": "database", "name": "before" });
    let backup = running.backed_up(&admin, named).await;
    let (path, mut owner) = (
        format!("/api/backups/{backup}/restore"),
        running.owner().await,
    );
    local::demo::damage(&mut owner).await.unwrap();
    assert_eq!(read(&running, &viewer, "").await, [Value::Null; 0]);
    for preview in [true, false] {
        let body = json!({ "mode": "exact", "preview": preview });
        // What readers do goes on beside this lock: the preview, and the safety backup.
        let held = owner.transaction().await.unwrap();
        let lock = "LOCK TABLE public.calls IN SHARE ROW EXCLUSIVE MODE";
        held.batch_execute(lock).await.unwrap();
        let (status, asked) = running.call(&admin, "POST", &path, Some(body)).await;
        assert_eq!(status, 202, "{asked}");
        if !preview {
            let told = waiting_for_a_lock(&running, &viewer).await;
            for (field, expected) in [
                ("operationId", &asked["operationId"]),
                ("backupId", &json!(backup)),
                ("backupName", &json!("before")),
                ("status", &json!("in_progress")),
                ("mode", &json!("exact")),
                ("requestedBy", &json!(Person::Admin.email())),
                ("undoneAt", &Value::Null),
            ] {
                assert_eq!(&told[field], expected, "{field}: {told}");
            }
            let strangers = read(&running, &customer, "").await;
            assert!(strangers.is_empty(), "{strangers:?}");
        }
        held.commit().await.unwrap();
        let ended = running.ended(&admin, &format!("{path}/status")).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        let listed = read(&running, &viewer, "").await;
        assert_eq!(listed.len(), usize::from(!preview), "{listed:?}");
    }
    let under_way = read(&running, &viewer, "status=pending,in_progress").await;
    assert!(under_way.is_empty(), "{under_way:?}");

    let restore = read(&running, &viewer, "").await.remove(0);
    let body = json!({ "undo": restore["operationId"] });
    assert_eq!(running.call(&admin, "POST", &path, Some(body)).await.0, 202);
    running.ended(&admin, &format!("{path}/status")).await;
    let all = read(&running, &viewer, "status=completed").await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["undoOf"], restore["operationId"]);
    assert_eq!(all[1]["operationId"], restore["operationId"]);
    assert!(all[1]["undoneAt"].is_string(), "{all:?}");
    assert_eq!(read(&running, &viewer, "limit=1").await, all[..1]);
    for wrong in ["limit=51", "limit=0", "status=done", "action=restore"] {
        let path = format!("/api/workspace/restores?{wrong}");
        let (status, told) = running.call(&viewer, "GET", &path, None).await;
        assert_eq!(status, 400, "{wrong}: {told}");
    }
}

/// Each renewal of a job's lease hears whether somebody cancels. So many must fit into one wait for a lock, which ends by
/// itself after less than a minute.
const RENEWALS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_waits_for_a_lock_is_cancelled_while_that_is_held() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let (path, mut owner) = (
        format!("/api/backups/{backup}/restore"),
        running.owner().await,
    );
    local::demo::damage(&mut owner).await.unwrap();
    let damaged = local::demo::contents(&mut owner).await.unwrap();
    let held = owner.transaction().await.unwrap();
    let lock = "LOCK TABLE public.calls IN SHARE ROW EXCLUSIVE MODE";
    held.batch_execute(lock).await.unwrap();
    let body = json!({ "mode": "exact" });
    let (status, asked) = running.call(&admin, "POST", &path, Some(body)).await;
    assert_eq!(status, 202, "{asked}");
    waiting_for_a_lock(&running, &admin).await;
    let watcher = running.superuser().await;
    let lease = "SELECT leased_until::text FROM public.rovodev_jobs WHERE id::text = $1";
    let job = asked["jobId"].as_str().unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < RENEWALS {
        let row = watcher.query_one(lease, &[&job]).await.unwrap();
        let until: Option<String> = row.get(0);
        seen.insert(until.expect("the wait was over before the catalog was asked often"));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (status, told) = running.call(&admin, "DELETE", &path, None).await;
    assert_eq!(status, 202, "{told}");
    let ended = running.ended(&admin, &format!("{path}/status")).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    let holds = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ShareRowExclusiveLock' \
         AND relation = 'public.calls'::regclass";
    let holders: i64 = watcher.query_one(holds, &[]).await.unwrap().get(0);
    assert_eq!(holders, 1, "the lock is ours and nobody else's");
    held.rollback().await.unwrap();
    assert_eq!(local::demo::contents(&mut owner).await.unwrap(), damaged);
}

/// What holds it up is of the project around its rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_a_scope_is_told_that_it_waits_and_not_for_whom() {
    let running = Running::start().await;
    let customer = running.sign_in(Person::Customer).await;
    let backup = running
        .backed_up(&customer, json!({ "type": "database" }))
        .await;
    let (path, mut owner) = (
        format!("/api/backups/{backup}/restore"),
        running.owner().await,
    );
    local::demo::damage(&mut owner).await.unwrap();
    let held = owner.transaction().await.unwrap();
    let lock = "LOCK TABLE public.calls IN SHARE ROW EXCLUSIVE MODE";
    held.batch_execute(lock).await.unwrap();
    let body = json!({ "mode": "exact" });
    let (status, asked) = running.call(&customer, "POST", &path, Some(body)).await;
    assert_eq!(status, 202, "{asked}");
    let told = waiting_for_a_lock(&running, &customer).await;
    let notice = told["progress"]["notice"].as_str().unwrap();
    assert_eq!(
        notice, "Something else in the database holds this up; it goes on as soon as it can.",
        "{told}"
    );
    held.commit().await.unwrap();
    let ended = running.ended(&customer, &format!("{path}/status")).await;
    assert_eq!(ended["status"], "completed", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_began_a_preview_ends_it_and_admins_end_restores() {
    use Person::{Admin, Operator, Viewer};
    let running = Running::start().await;
    let admin = running.sign_in(Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    for (began, preview, ends, expected) in [
        (Viewer, true, Viewer, 202),
        (Operator, true, Viewer, 403),
        (Viewer, true, Operator, 202),
        (Admin, true, Operator, 202),
        (Admin, false, Viewer, 403),
        (Admin, false, Operator, 403),
        (Admin, false, Admin, 202),
    ] {
        // Past the functions, so that nobody works on it.
        let token = running.sign_in(began).await;
        let request = json!({ "backup": backup, "request": { "preview": preview } });
        let asked = running.rpc(&token, "rovodev_restore_backup", request).await;
        let operation = asked["operationId"].as_str().unwrap();
        let path = format!("/api/backups/{backup}/restore?operation={operation}");
        let token = running.sign_in(ends).await;
        let (status, told) = running.call(&token, "DELETE", &path, None).await;
        let case = format!("{began:?} began, preview: {preview}, {ends:?} ends: {told}");
        assert_eq!(status, expected, "{case}");
        let place = format!("/api/backups/{backup}/restore/status?operation={operation}");
        let (_, seen) = running.call(&admin, "GET", &place, None).await;
        let ended = if expected == 202 {
            "cancelled"
        } else {
            "pending"
        };
        assert_eq!(seen["status"], ended, "{case}");
        if expected != 202 {
            assert_eq!(running.call(&admin, "DELETE", &path, None).await.0, 202);
        }
    }
}
