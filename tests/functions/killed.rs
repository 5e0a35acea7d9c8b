//! A function that the platform kills while it works behind its response.

use crate::answers::last_event;
use crate::platform::Platform;
use local::supabase;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::Client;

/// As if its lease, and the wait before another attempt, had ended.
const LEASE_ENDS: &str =
    "SELECT pgmq.set_vt(queue, message_id, 0) FROM public.rovodev_jobs WHERE state = 'running';
     UPDATE public.rovodev_jobs SET leased_until = now() WHERE state = 'running'";
/// Sessions of the program that wait for the lock.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// Asks a function for work that has to wait for the table's lock, and kills it there; its answer.
async fn killed(platform: &Platform, function: &str, path: &str, body: Value, lock: &str) -> Value {
    let superuser = platform.demo.stack.postgres.url("postgres");
    let superuser = supabase::connect(&superuser).await.unwrap();
    let owner = &platform.demo.owner;
    let lock = format!("BEGIN; LOCK TABLE public.calls IN {lock} MODE");
    owner.batch_execute(&lock).await.unwrap();
    let function = platform.function(function).await;
    let (number, asked) = platform.post(&function, path, body, 202).await;
    while count(&superuser, WAITING).await == 0 {
        assert!(!function.has_ended(number), "it does not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    function.kill().await;
    owner.batch_execute("COMMIT").await.unwrap();
    // Until the server has noticed.
    while count(&superuser, WAITING).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let held = "SELECT count(*) FROM public.rovodev_jobs WHERE state = 'running'";
    assert_eq!(count(&superuser, held).await, 1);
    superuser.batch_execute(LEASE_ENDS).await.unwrap();
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_function_was_killed_is_completed_by_the_next_tick() {
    let platform = Platform::start().await;
    let path = "/api/backups/create";
    let asked = json!({ "type": "full" });
    let lock = "ACCESS EXCLUSIVE";
    let asked = killed(&platform, "backups/create", path, asked, lock).await;
    let id = asked["id"].as_str().unwrap();
    platform.tick().await;
    let last = last_event(&platform, id).await;
    assert_eq!(last["status"], "completed", "{last}");
    assert_eq!(platform.schema_of(id).await, "captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_function_was_killed_is_completed_by_the_next_tick() {
    let platform = Platform::start().await;
    let backup = platform.backed_up(json!({ "type": "database" })).await;
    let owner = &platform.demo.owner;
    owner.execute("DELETE FROM call_events", &[]).await.unwrap();
    let change = "UPDATE calls SET summary = 'changed'";
    let changed = owner.execute(change, &[]).await.unwrap() as i64;
    let path = format!("/api/backups/{backup}/restore");
    let asked = json!({ "mode": "exact" });
    // It reads and stages beside this lock, and writes nothing.
    killed(&platform, "backups/[id]/restore", &path, asked, "SHARE").await;
    let old = "SELECT count(*) FROM calls WHERE summary = 'changed'";
    assert_eq!(count(owner, old).await, changed, "nothing is half done");
    platform.tick().await;
    let last = last_event(&platform, &backup).await;
    assert_eq!(last["status"], "completed", "{last}");
    assert_eq!(count(owner, old).await, 0);
    assert!(count(owner, "SELECT count(*) FROM call_events").await > 0);
    let staging = r"SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'staging\_%'";
    assert_eq!(count(owner, staging).await, 0);
}
