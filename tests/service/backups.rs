//! A backup from its request to its restore.

use crate::stack::{Person, Running};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn asked_for_taken_listed_restored() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let (status, created) = running
        .call(&admin, "POST", "/api/backups/create", Some(json!({ "type": "database", "name": "first" })))
        .await;
    assert_eq!(status, 202, "{created}");
    let id = created["id"].as_str().unwrap();
    let status_path = format!("/api/backups/{id}/restore/status");
    let ended = running.ended(&admin, &status_path).await;
    assert_eq!(ended["status"], "completed", "{ended}");

    let (status, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    assert_eq!((status, &list["total"], &list["backups"][0]["name"]), (200, &json!(1), &json!("first")));
    let (_, details) = running.call(&admin, "GET", &format!("/api/backups/{id}/details"), None).await;
    let calls = details["contents"]["tables"].as_array().unwrap().iter().find(|t| t["name"] == "calls");
    assert_eq!(calls.unwrap()["records"], 1145, "{details}");

    let mut owner = local::supabase::connect(&running.stack.postgres.owner_url("postgres")).await.unwrap();
    let before = app(&mut owner).await;
    local::demo::damage(&mut owner).await.unwrap();
    assert_ne!(app(&mut owner).await, before);
    let (status, asked) = running
        .call(&admin, "POST", &format!("/api/backups/{id}/restore"), Some(json!({ "mode": "exact" })))
        .await;
    assert_eq!(status, 202, "{asked}");
    let restored = running.ended(&admin, &status_path).await;
    assert_eq!(restored["status"], "completed", "{restored}");
    assert_eq!(app(&mut owner).await, before);
}

/// What the app holds; the catalog beside it is never part of a backup.
async fn app(owner: &mut tokio_postgres::Client) -> local::demo::Contents {
    let mut all = local::demo::contents(owner).await.unwrap();
    let catalog = ["backups", "restore_operations", "backup_schedules"];
    all.retain(|name, _| !name.starts_with("rovodev_") && !catalog.contains(&name.as_str()));
    all
}
