//! A backup and its restore through the programs, from the request to its end.

use crate::function::Function;
use crate::platform::Platform;
use crate::program::Program;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_behind_the_response_and_ends_before_the_invocation() {
    let platform = Platform::start().await;
    let create = platform.function("backups/create").await;
    let path = "/api/backups/create";
    let (number, created) = platform
        .post(&create, path, json!({ "type": "full" }), 202)
        .await;
    assert!(!create.has_ended(number), "nothing can be done by now");

    let id = created["id"].as_str().unwrap();
    assert_eq!(last_event(&platform, id).await["status"], "completed");
    create.end(number).await;

    let list = platform.function("backups/list").await;
    let listed = platform.get(&list, "/api/backups/list").await;
    assert_eq!(
        (&listed["total"], &listed["backups"][0]["id"]),
        (&json!(1), &json!(id))
    );
    assert_eq!(platform.schema_of(id).await, "captured");
    assert!(create.stop().await.success());
}

/// What was written to the stream by the time the platform was told that its invocation is over.
pub async fn last_event(platform: &Platform, backup: &str) -> Value {
    let status = platform.function("backups/[id]/restore/status").await;
    let path = format!("/api/backups/{backup}/restore/status");
    let told = status.events_at_end(&path, &platform.token).await;
    assert!(told.contains("text/event-stream"), "{told}");
    assert!(told.ends_with("0\r\n\r\n"), "its last chunk: {told}");
    let last = told.rsplit("data: ").next().unwrap();
    serde_json::from_str(last.lines().next().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_takes_its_safety_backup_and_brings_rows_back() {
    let platform = Platform::start().await;
    let backup = platform.backed_up(json!({ "type": "database" })).await;
    let owner = &platform.demo.owner;
    let broken = owner.execute("DELETE FROM call_events", &[]).await.unwrap();
    assert!(broken > 0);
    let restore = platform.function("backups/[id]/restore").await;
    let path = format!("/api/backups/{backup}/restore");
    let (number, _) = platform
        .post(&restore, &path, json!({ "mode": "exact" }), 202)
        .await;
    let last = last_event(&platform, &backup).await;
    assert_eq!(last["status"], "completed", "{last}");
    restore.end(number).await;
    let count = "SELECT count(*) FROM call_events";
    let there: i64 = owner.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(there, broken as i64);

    let list = platform.function("backups/list").await;
    let listed = platform
        .get(&list, "/api/backups/list?trigger=safety")
        .await;
    let safety = listed["backups"][0]["id"].as_str().unwrap();
    assert_eq!(platform.schema_of(safety).await, "captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tick_takes_up_what_waits() {
    let platform = Platform::start().await;
    let backup = platform.asked_for().await;
    platform.tick().await;
    assert_eq!(last_event(&platform, &backup).await["status"], "completed");
    assert_eq!(platform.schema_of(&backup).await, "captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_its_settings_answers_and_does_not_die() {
    let list = Function::start(Program::of("backups/list"), &[]).await;
    for _ in 0..2 {
        let (number, request) = list.request("GET", "/api/backups/list");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let told = answer.text().await.unwrap();
        assert!(
            told.contains("\"code\"") && !told.contains("SUPABASE"),
            "{told}"
        );
        list.end(number).await;
    }
}

/// It would be completed, and gone with the function.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_vercel_keeps_no_backup_on_its_own_disk() {
    let platform = Platform::start().await;
    let path = "/api/backups/create";
    for (store, status) in [
        ("/tmp/backups".to_string(), 500),
        (platform.variable("BACKUP_STORE"), 202),
    ] {
        let more = [
            ("BACKUP_STORE", store),
            ("VERCEL_ENV", "production".to_string()),
        ];
        let create = platform.function_with("backups/create", more).await;
        let (number, told) = platform
            .post(&create, path, json!({ "type": "config" }), status)
            .await;
        assert!(told["id"].is_string() == (status == 202), "{told}");
        create.end(number).await;
        assert!(create.stop().await.success());
    }
    let list = platform.function("backups/list").await;
    assert_eq!(platform.get(&list, "/api/backups/list").await["total"], 1);
}
