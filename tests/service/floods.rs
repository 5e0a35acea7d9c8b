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
    let people = [
        running.sign_in(Person::Admin).await,
        running.sign_in(Person::Operator).await,
    ];
    let holder = running.superuser().await;
    let promote = "UPDATE public.rovodev_members SET role = 'admin'";
    holder.batch_execute(promote).await.unwrap();
    let backup = running
        .backed_up(&people[0], json!({ "type": "database" }))
        .await;
    let path = format!("/api/backups/{backup}/restore");
    // Both look whether a restore runs before either can begin one.
    let hold = "BEGIN; LOCK TABLE public.restore_operations IN SHARE MODE";
    holder.batch_execute(hold).await.unwrap();
    let release = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while holder
            .query_one(waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            < 2
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let restore = |token| running.call(token, "POST", &path, Some(json!({})));
    let (one, other, ()) = tokio::join!(restore(&people[0]), restore(&people[1]), release);
    let told = [&one, &other].map(|(status, answer)| (*status, answer["code"].clone()));
    let refused = (409, json!("restore_running"));
    assert!(
        told.contains(&(202, Value::Null)) && told.contains(&refused),
        "{one:?} {other:?}"
    );
    let ended = running.ended(&people[0], &format!("{path}/status")).await;
    assert_eq!(ended["status"], "completed", "{ended}");
}
