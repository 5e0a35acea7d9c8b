//! How long something will take, from how long it took.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn estimates_come_from_past_runs_of_the_same_tenant() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let create = |body: Value| running.call(&admin, "POST", "/api/backups/create", Some(body));
    let (_, first) = create(json!({ "type": "database" })).await;
    assert_eq!(first["estimatedTime"], Value::Null, "{first}");
    let id = first["id"].as_str().unwrap();
    let status = format!("/api/backups/{id}/restore/status");
    assert_eq!(running.ended(&admin, &status).await["status"], "completed");
    // As if it had taken long, so that shares of it can be told apart.
    let superuser = running.superuser().await;
    let slow = "UPDATE backups SET finished_at = started_at + interval '1000 s'";
    superuser.batch_execute(slow).await.unwrap();

    let (_, whole) = create(json!({ "type": "full" })).await;
    assert_eq!(whole["estimatedTime"], 1000, "{whole}");
    let (_, told) = running
        .call(
            &admin,
            "GET",
            &format!(
                "/api/backups/{}/restore/status",
                whole["id"].as_str().unwrap()
            ),
            None,
        )
        .await;
    assert_eq!(told["estimatedTime"], 1000, "{told}");
    let (_, part) = create(json!({ "type": "database", "tables": ["call_events"] })).await;
    let part = part["estimatedTime"].as_u64().unwrap();
    assert!((1..500).contains(&part), "{part}");
    let (_, config) = create(json!({ "type": "config" })).await;
    assert_eq!(
        config["estimatedTime"],
        Value::Null,
        "no run of its kind: {config}"
    );
    let customer = running.sign_in(Person::Customer).await;
    let (_, foreign) = running
        .call(&customer, "POST", "/api/backups/create", Some(json!({})))
        .await;
    assert_eq!(foreign["estimatedTime"], Value::Null, "{foreign}");

    let restore = format!("/api/backups/{id}/restore");
    let (status_code, asked) = running
        .call(&admin, "POST", &restore, Some(json!({})))
        .await;
    assert_eq!(
        (status_code, &asked["estimatedTime"]),
        (202, &Value::Null),
        "{asked}"
    );
    assert_eq!(running.ended(&admin, &status).await["status"], "completed");
    let slow = "UPDATE restore_operations SET completed_at = started_at + interval '200 s'";
    superuser.batch_execute(slow).await.unwrap();
    let wanted = json!({ "preview": true });
    let (_, asked) = running.call(&admin, "POST", &restore, Some(wanted)).await;
    assert_eq!(asked["estimatedTime"], 200, "{asked}");
    let path = format!(
        "{status}?operation={}",
        asked["operationId"].as_str().unwrap()
    );
    let preview = running.ended(&admin, &path).await;
    assert_eq!(preview["estimatedTime"], 200, "{preview}");
    let wanted = json!({ "preview": true, "tables": ["call_events"] });
    let (_, asked) = running.call(&admin, "POST", &restore, Some(wanted)).await;
    let part = asked["estimatedTime"].as_u64().unwrap();
    assert!((1..100).contains(&part), "{asked}");
}
