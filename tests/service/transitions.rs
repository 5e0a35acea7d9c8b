//! What cannot become what: held by the database, whoever writes.

use crate::stack::{Person, Running};
use rovodev::ports::catalog::{ApiKey, As, Catalog, Repeat};
use rovodev::ports::web;
use serde_json::{Value, json};
use tokio_postgres::Client;

const STATES: [&str; 5] = ["pending", "in_progress", "completed", "failed", "cancelled"];

fn possible(from: &str, to: &str) -> bool {
    from == to
        || matches!(
            (from, to),
            ("pending", "in_progress" | "failed" | "cancelled")
                | (
                    "in_progress",
                    "pending" | "completed" | "failed" | "cancelled"
                )
        )
}

/// Tries every pair of states on a row made by `insert`, as the superuser, in a transaction that is rolled back.
async fn try_all(
    client: &Client,
    table: &str,
    column: &str,
    states: &[&str],
    insert: &str,
    possible: fn(&str, &str) -> bool,
) {
    for from in states {
        for to in states {
            let made = insert.replace("$state", from);
            client
                .batch_execute(&format!("BEGIN; {made}"))
                .await
                .unwrap();
            let tried = client
                .batch_execute(&format!(
                    "UPDATE {table} SET {column} = '{to}' WHERE tenant_id IS NOT NULL"
                ))
                .await;
            client.batch_execute("ROLLBACK").await.unwrap();
            assert_eq!(
                tried.is_ok(),
                possible(from, to),
                "{table} {from} to {to}: {tried:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_ended_stays() {
    let running = Running::start().await;
    let client = running.superuser().await;
    let backup = |id: &str, trigger: &str| {
        format!(
            "INSERT INTO public.backups (id, tenant_id, name, backup_path, backup_type, trigger, status, manifest_key, finished_at, error_message) \
             SELECT {id}, id, 'x', 'x', 'database', '{trigger}', '$state', 'k', now(), 'e' FROM public.rovodev_tenants WHERE slug = 'default'"
        )
    };
    try_all(
        &client,
        "public.backups",
        "status",
        &STATES,
        &backup("rovodev.new_id()", "manual"),
        possible,
    )
    .await;
    let safety =
        |from: &str, to: &str| possible(from, to) || (from, to) == ("pending", "completed");
    try_all(
        &client,
        "public.backups",
        "status",
        &STATES,
        &backup("rovodev.new_id()", "safety"),
        safety,
    )
    .await;
    let parent =
        backup("'00000000-0000-7000-8000-000000000001'", "manual").replace("$state", "completed");
    client.batch_execute(&parent).await.unwrap();
    let of = "FROM public.backups WHERE id = '00000000-0000-7000-8000-000000000001'";
    let restore = format!(
        "INSERT INTO public.restore_operations (tenant_id, backup_id, restore_type, status, error_message) \
         SELECT tenant_id, id, 'database', '$state', 'e' {of}"
    );
    try_all(
        &client,
        "public.restore_operations",
        "status",
        &STATES,
        &restore,
        possible,
    )
    .await;
    let export = format!(
        "INSERT INTO public.rovodev_exports (tenant_id, backup_id, format, status, store_key, expires_at) \
         SELECT tenant_id, id, 'tar', '$state', 'k', now() {of}"
    );
    try_all(
        &client,
        "public.rovodev_exports",
        "status",
        &STATES,
        &export,
        possible,
    )
    .await;
    let job = format!(
        "INSERT INTO public.rovodev_jobs (kind, tenant_id, backup_id, message_id, state) SELECT 'delete', tenant_id, id, 1, '$state' {of}"
    );
    let jobs = ["queued", "running", "completed", "failed", "cancelled"];
    let as_jobs = |from: &str, to: &str| {
        let name = |s: &str| match s {
            "queued" => "pending".to_string(),
            "running" => "in_progress".to_string(),
            other => other.to_string(),
        };
        possible(&name(from), &name(to))
    };
    try_all(
        &client,
        "public.rovodev_jobs",
        "state",
        &jobs,
        &job,
        as_jobs,
    )
    .await;
}

/// Whoever held a job and lost it writes nothing any more, however often it tries.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_and_a_second_end_change_nothing() {
    older_tokens(Running::start().await).await;
}

pub async fn older_tokens(running: Running) {
    let client = running.superuser().await;
    let keys = running.project.keys();
    let catalog = Catalog::new(
        web::client().unwrap(),
        &running.supabase_url(),
        ApiKey::new(keys.publishable.as_str()),
        Some(ApiKey::new(keys.secret.as_str())),
    );
    let admin = running.sign_in(Person::Admin).await;
    // Asked for past the functions, so that nobody works on it.
    let asked: Value = catalog
        .call(
            As::Person(&admin),
            "rovodev_create_backup",
            &json!({ "request": {} }),
            Repeat::Unsent,
        )
        .await
        .unwrap();
    let job = asked["jobId"].as_str().unwrap().to_string();
    let call = async |function: &str, mut arguments: Value| -> Value {
        arguments["job_id"] = json!(job);
        catalog
            .call(As::Jobs, function, &arguments, Repeat::Unsent)
            .await
            .unwrap()
    };
    let take = json!({ "worker": "a", "seconds": 60 });
    let first = call("rovodev_take_job", take.clone()).await;
    assert_eq!((&first["id"], &first["token"]), (&json!(job), &json!(1)));
    assert_eq!(
        call("rovodev_take_job", take.clone()).await,
        Value::Null,
        "taken twice"
    );
    // Its lease runs out.
    let expire = "SELECT pgmq.set_vt('rovodev_jobs', message_id, -1) FROM public.rovodev_jobs";
    client.batch_execute(expire).await.unwrap();
    let second = call("rovodev_take_job", take).await;
    assert_eq!(second["token"], 2);
    let state = async || -> String {
        let sql = "SELECT (to_jsonb(j) || jsonb_build_object('backup', to_jsonb(b)))::text \
             FROM public.rovodev_jobs j JOIN public.backups b ON b.id = j.backup_id";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    let held = state().await;
    let completed =
        json!({ "token": 1, "outcome": "completed", "fields": { "manifest_key": "stolen" } });
    for (function, arguments) in [
        (
            "rovodev_renew_job",
            json!({ "token": 1, "seconds": 60, "progress": { "current": 1 } }),
        ),
        ("rovodev_return_job", json!({ "token": 1, "seconds": 0 })),
        (
            "rovodev_return_job",
            json!({ "token": 1, "seconds": 0, "to_worker": true }),
        ),
        (
            "rovodev_record_safety_backup",
            json!({ "token": 1, "fields": {} }),
        ),
        ("rovodev_end_job", completed),
        (
            "rovodev_end_job",
            json!({ "token": 3, "outcome": "failed", "fields": { "error_message": "x" } }),
        ),
    ] {
        assert_eq!(call(function, arguments).await["held"], false, "{function}");
        assert_eq!(state().await, held, "{function}");
    }
    let end = |outcome: &str| json!({ "token": 2, "outcome": outcome, "fields": { "manifest_key": "k", "error_message": "e" } });
    assert_eq!(
        call("rovodev_end_job", end("completed")).await["held"],
        true
    );
    let ended = state().await;
    for outcome in ["completed", "failed", "cancelled"] {
        assert_eq!(call("rovodev_end_job", end(outcome)).await["held"], false);
        assert_eq!(state().await, ended);
    }
    assert_eq!(
        call("rovodev_take_job", json!({ "worker": "b", "seconds": 60 })).await,
        Value::Null
    );
    // Nor does the owner bring the token back.
    let back = "UPDATE public.rovodev_jobs SET token = token - 1";
    assert!(client.batch_execute(back).await.is_err());
}
