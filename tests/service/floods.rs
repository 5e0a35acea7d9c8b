//! The same request twice, and too many of them.

use crate::requests::{JSON, told};
use crate::stack::{Person, Running};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_serves_one_request_and_a_flood_is_told_to_wait() {
    let running = Running::start().await;
    let (admin, operator) = (
        running.sign_in(Person::Admin).await,
        running.sign_in(Person::Operator).await,
    );
    let create = async |token: &str, key: &str, body: &str| -> (u16, Value) {
        let request = running
            .request("POST", "/api/backups/create")
            .bearer_auth(token)
            .header("content-type", JSON)
            .header("idempotency-key", key)
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
        )
    };
    let body = r#"{"type":"config"}"#;
    let first = create(&admin, "k", body).await;
    assert_eq!(first.0, 202, "{}", first.1);
    assert_eq!(create(&admin, "k", body).await, first, "the same answer");
    let other = create(&admin, "k", r#"{"type":"config","name":"other"}"#).await;
    assert_eq!(
        (other.0, &other.1["code"]),
        (422, &json!("idempotency_mismatch"))
    );
    let another_persons = create(&operator, "k", body).await;
    assert_eq!(another_persons.0, 202);
    assert_ne!(another_persons.1["id"], first.1["id"]);
    let at_once =
        futures_util::future::join_all((0..8).map(|_| create(&admin, "at once", body))).await;
    assert!(
        at_once.iter().all(|a| *a == at_once[0] && a.0 == 202),
        "{at_once:?}"
    );

    let path = format!("/api/backups/{}/details", first.1["id"].as_str().unwrap());
    let patch = || {
        let request = running.request("PATCH", &path).bearer_auth(&operator);
        request.header("content-type", JSON).body(r#"{"note":"x"}"#)
    };
    for call in 1..=60 {
        assert_eq!(told(patch()).await.0, 200, "call {call}");
    }
    let (status, code, headers) = told(patch()).await;
    assert_eq!((status, code.as_str()), (429, "rate_limited"));
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Others are not held up.
    let by_admin = running.request("PATCH", &path).bearer_auth(&admin);
    let by_admin = by_admin
        .header("content-type", JSON)
        .body(r#"{"note":"y"}"#);
    assert_eq!(told(by_admin).await.0, 200);
    // A flood of refusals does not fill the log.
    for _ in 0..20 {
        told(patch()).await;
    }
    let sql = "SELECT count(*) FROM public.rovodev_audit_log WHERE code = 'rate_limited'";
    let row = running.owner().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_restores_at_once_one_begins() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let path = format!("/api/backups/{backup}/restore");
    let restore = || running.call(&admin, "POST", &path, Some(json!({})));
    let answers = futures_util::future::join_all((0..8).map(|_| restore())).await;
    let begun = answers.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(begun, 1, "{answers:?}");
    let refused = answers
        .iter()
        .filter(|(_, a)| a["code"] == "restore_running");
    assert_eq!(refused.count(), 7, "{answers:?}");
    let ended = running.ended(&admin, &format!("{path}/status")).await;
    assert_eq!(ended["status"], "completed", "{ended}");
}
