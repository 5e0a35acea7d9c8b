//! Hooks by a secret of their own.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

async fn call(running: &Running, secret: &str, key: Option<&str>, body: &str) -> (u16, Value) {
    let mut request = running
        .request("POST", "/api/hooks/deploy")
        .bearer_auth(secret);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    if !body.is_empty() {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

async fn secret(running: &Running, token: &str, schedule: &str) -> String {
    let body = json!({ "makeHook": schedule });
    let (status, made) = running
        .call(token, "POST", "/api/schedules", Some(body))
        .await;
    assert_eq!(status, 201, "{made}");
    made["secret"].as_str().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_runs_its_schedule_and_nothing_else() {
    let running = Running::start().await;
    let customer = running.sign_in(Person::Customer).await;
    let schedule = json!({ "name": "Before a release", "trigger": "deploy" });
    let id = running.scheduled(&customer, schedule).await;
    let first = secret(&running, &customer, &id).await;
    let body = r#"{"deployment":"v1.2.3","commit":"c0ffee"}"#;
    let (status, told) = call(&running, &first, Some("k"), body).await;
    assert_eq!((status, &told["replayed"]), (202, &json!(false)), "{told}");
    let (_, again) = call(&running, &first, Some("k"), body).await;
    assert_eq!(
        (&again["replayed"], &again["backups"]),
        (&json!(true), &told["backups"])
    );
    let (status, other) = call(&running, &first, Some("k"), "").await;
    assert_eq!(
        (status, &other["code"]),
        (422, &json!("idempotency_mismatch"))
    );

    let backup = told["backups"][0]["id"].as_str().unwrap();
    let status = format!("/api/backups/{backup}/restore/status");
    let ended = running.ended(&customer, &status).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let path = "/api/backups/list?trigger=deploy";
    let (_, listed) = running.call(&customer, "GET", path, None).await;
    // Rows of its tenant alone, as every backup of that.
    assert_eq!(
        (&listed["total"], &listed["backups"][0]["type"]),
        (&json!(1), &json!("database"))
    );

    // A new one ends the one before; none is shown, and none is kept as it is.
    let second = secret(&running, &customer, &id).await;
    assert_eq!(call(&running, &first, None, "").await.0, 401);
    assert_eq!(call(&running, &second, None, "").await.0, 202);
    let kept = "SELECT count(*) FROM public.backup_schedules s WHERE strpos(s::text, $1) > 0";
    let row = running
        .owner()
        .await
        .query_one(kept, &[&second])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    let (_, shown) = running
        .call(&customer, "GET", &format!("/api/schedules?id={id}"), None)
        .await;
    assert!(shown["hookMadeAt"].is_string() && !shown.to_string().contains("rovodev_hook_"));
    let remove = json!({ "removeHook": id });
    assert_eq!(
        running
            .call(&customer, "POST", "/api/schedules", Some(remove))
            .await
            .0,
        204
    );
    assert_eq!(call(&running, &second, None, "").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_bodies_and_floods_are_refused() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let schedule = json!({ "name": "n", "trigger": "deploy", "type": "config" });
    let id = running.scheduled(&admin, schedule).await;
    let secret = secret(&running, &admin, &id).await;
    let guessed = format!("rovodev_hook_{}", "0".repeat(64));
    for wrong in ["", "x", &secret[1..], &guessed, &format!("{secret}0")] {
        let (status, told) = call(&running, wrong, None, "").await;
        assert_eq!(
            (status, &told["code"]),
            (401, &json!("hook_secret")),
            "{wrong}"
        );
    }
    let long = format!(r#"{{"commit":"{}"}}"#, "a".repeat(201));
    for (body, code) in [
        (r#"{"x":1}"#, "bad_field"),
        ("[]", "bad_field"),
        ("{", "bad_json"),
        (&long, "bad_field"),
    ] {
        let (status, told) = call(&running, &secret, None, body).await;
        assert_eq!((status, &told["code"]), (400, &json!(code)), "{body}");
    }
    let off = json!({ "enabled": false });
    running
        .call(
            &admin,
            "PATCH",
            &format!("/api/schedules?id={id}"),
            Some(off),
        )
        .await;
    let (status, told) = call(&running, &secret, None, "").await;
    assert_eq!((status, &told["code"]), (409, &json!("not_possible")));
    let on = json!({ "enabled": true });
    running
        .call(
            &admin,
            "PATCH",
            &format!("/api/schedules?id={id}"),
            Some(on),
        )
        .await;
    let calls =
        futures_util::future::join_all((0..25).map(|_| call(&running, &secret, None, ""))).await;
    let of = |status| calls.iter().filter(|c| c.0 == status).count();
    assert_eq!((of(202), of(429)), (20, 5));
    assert_eq!(
        running.audited("hook.call").await.len(),
        1,
        "a flood is not a flood of rows"
    );
}
