//! Requests that make no sense, and what every answer carries.

use crate::stack::{CRON_SECRET, Person, Running};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use uuid::Uuid;

pub const JSON: &str = "application/json";

/// Status, code of the problem, and headers; every answer must carry what none may lack.
pub async fn told(request: RequestBuilder) -> (u16, String, reqwest::header::HeaderMap) {
    let answer: Response = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert!(Uuid::parse_str(headers["x-request-id"].to_str().unwrap()).is_ok());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(headers[name], value, "{status} {text}");
    }
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if status >= 400 && !text.is_empty() {
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(body["status"], status);
    }
    let code = body["code"].as_str().unwrap_or_default().to_string();
    (status, code, headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_name() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let ask = |method: &str, path: &str| running.request(method, path).bearer_auth(&admin);
    let send = |method: &str, path: &str, body: &str| {
        ask(method, path)
            .header("content-type", JSON)
            .body(body.to_string())
    };
    let (create, list) = ("/api/backups/create", "/api/backups/list");
    let id = Uuid::now_v7();
    let details = format!("/api/backups/{id}/details");
    let restore = format!("/api/backups/{}/restore", Uuid::now_v7());
    let big = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = "[".repeat(10_000);
    let cases = [
        (
            "unknown field",
            send("POST", create, r#"{"kind":"full"}"#),
            400,
            "bad_field",
        ),
        (
            "field of a wrong type",
            send("POST", create, r#"{"name":1}"#),
            400,
            "bad_field",
        ),
        (
            "field given twice",
            send("POST", create, r#"{"name":"a","name":"b"}"#),
            400,
            "bad_field",
        ),
        (
            "unknown type of backup",
            send("POST", create, r#"{"type":"all"}"#),
            400,
            "bad_field",
        ),
        (
            "name that is no name",
            send("POST", create, r#"{"name":"latest"}"#),
            400,
            "usage",
        ),
        (
            "NUL in a list",
            send("POST", create, r#"{"schemas":["a\u0000b"]}"#),
            400,
            "bad_field",
        ),
        (
            "NUL in a note",
            send("PATCH", &details, r#"{"note":"a\u0000b"}"#),
            400,
            "bad_field",
        ),
        (
            "half a character",
            send("POST", create, r#"{"schemas":["\ud800"]}"#),
            400,
            "bad_json",
        ),
        (
            "not JSON",
            send("POST", create, "type=full"),
            400,
            "bad_json",
        ),
        (
            "half JSON",
            send("POST", create, r#"{"type":"#),
            400,
            "bad_json",
        ),
        ("deep JSON", send("POST", create, &deep), 400, "bad_json"),
        ("a list", send("POST", create, "[]"), 400, "bad_field"),
        (
            "a list of what the fields would be",
            send("PATCH", &details, "[null,null,null]"),
            400,
            "bad_field",
        ),
        (
            "an object for a name",
            send("POST", create, r#"{"type":{"full":null}}"#),
            400,
            "bad_field",
        ),
        (
            "an object within a list",
            send("POST", create, r#"{"components":[{"database":null}]}"#),
            400,
            "bad_field",
        ),
        ("too large", send("POST", create, &big), 413, "too_large"),
        (
            "another content type",
            ask("POST", create)
                .header("content-type", "text/plain")
                .body("{}"),
            415,
            "not_json",
        ),
        (
            "no content type",
            ask("POST", create).body("{}"),
            415,
            "not_json",
        ),
        (
            "a form",
            ask("POST", create)
                .header("content-type", "application/x-www-form-urlencoded")
                .body("a=b"),
            415,
            "not_json",
        ),
        (
            "unknown parameter of list",
            ask("GET", "/api/backups/list?tenant=x"),
            400,
            "unknown_parameter",
        ),
        (
            "unknown parameter of create",
            send("POST", "/api/backups/create?dry=1", "{}"),
            400,
            "unknown_parameter",
        ),
        (
            "unknown parameter of details",
            ask("GET", &format!("{details}?x=1")),
            400,
            "unknown_parameter",
        ),
        (
            "an id beside the path's",
            ask("GET", &format!("{details}?id={}", Uuid::now_v7())),
            400,
            "unknown_parameter",
        ),
        (
            "the id of the path again, as Vercel's routes have it",
            ask("GET", &format!("{details}?id={id}")),
            404,
            "not_found",
        ),
        (
            "an id where the path has none",
            ask("GET", "/api/backups/list?id=list"),
            400,
            "unknown_parameter",
        ),
        (
            "parameter given twice",
            ask("GET", "/api/backups/list?limit=1&limit=2"),
            400,
            "repeated_parameter",
        ),
        (
            "NUL in a parameter",
            ask("GET", "/api/backups/list?q=%00"),
            400,
            "bad_parameter",
        ),
        (
            "bad cursor",
            ask("GET", "/api/backups/list?cursor=eyJ4IjoxfQ"),
            400,
            "bad_parameter",
        ),
        (
            "cursor that is no base64",
            ask("GET", "/api/backups/list?cursor=%F0%9F"),
            400,
            "bad_parameter",
        ),
        (
            "bad limit",
            ask("GET", "/api/backups/list?limit=-1"),
            400,
            "bad_parameter",
        ),
        (
            "bad probe",
            running.request("GET", "/api/status/health?probe=dead"),
            400,
            "bad_parameter",
        ),
        (
            "body where none belongs",
            send("DELETE", &restore, r#"{"operation":"x"}"#),
            400,
            "unexpected_body",
        ),
        (
            "bad operation",
            ask("DELETE", &format!("{restore}?operation=x")),
            400,
            "bad_parameter",
        ),
        (
            "components that cannot be restored",
            send("POST", &restore, r#"{"components":["config"]}"#),
            400,
            "bad_field",
        ),
        (
            "target that is none",
            send("POST", &restore, r#"{"target":"elsewhere"}"#),
            400,
            "bad_field",
        ),
        (
            "id that is none",
            ask("GET", "/api/backups/latest/details"),
            404,
            "not_found",
        ),
        (
            "id with a brace",
            ask("GET", "/api/backups/%7B0%7D/details"),
            404,
            "not_found",
        ),
        (
            "id out of the path",
            ask("GET", "/api/backups/..%2f..%2fx/details"),
            404,
            "not_found",
        ),
        ("unknown path", ask("GET", "/api/nothing"), 404, "not_found"),
        ("unknown id", ask("GET", &details), 404, "not_found"),
        (
            "unknown method",
            ask("PUT", create),
            405,
            "method_not_allowed",
        ),
        (
            "method of another function",
            ask("POST", list),
            405,
            "method_not_allowed",
        ),
        ("HEAD where GET is not", ask("HEAD", create), 405, ""),
        (
            "two tokens",
            ask("GET", list).bearer_auth("other"),
            400,
            "repeated_header",
        ),
        (
            "two tenants",
            ask("GET", list)
                .header("x-rovodev-tenant", "a")
                .header("x-rovodev-tenant", "b"),
            400,
            "repeated_header",
        ),
        (
            "a tenant that cannot be read",
            ask("GET", list).header("x-rovodev-tenant", &b"d\xe9faut"[..]),
            403,
            "no_tenant",
        ),
        (
            "two keys",
            send("POST", create, "{}")
                .header("idempotency-key", "a")
                .header("idempotency-key", "b"),
            400,
            "repeated_header",
        ),
        (
            "empty key",
            send("POST", create, "{}").header("idempotency-key", " "),
            400,
            "bad_idempotency_key",
        ),
        (
            "endless key",
            send("POST", create, "{}").header("idempotency-key", "k".repeat(201)),
            400,
            "bad_idempotency_key",
        ),
        (
            "no token",
            running.request("GET", list),
            401,
            "token_missing",
        ),
        (
            "another scheme",
            running.request("GET", list).basic_auth("a", Some("b")),
            401,
            "token_missing",
        ),
        (
            "no such token",
            running.request("GET", list).bearer_auth("x.y.z"),
            401,
            "token_invalid",
        ),
        (
            "parameter of the tick",
            running
                .request("GET", "/api/cron/tick?x=1")
                .bearer_auth(CRON_SECRET),
            400,
            "unknown_parameter",
        ),
    ];
    for (name, request, status, code) in cases {
        let (got, told, headers) = told(request).await;
        assert_eq!((got, told.as_str()), (status, code), "{name}");
        assert!(
            status != 401 || headers["www-authenticate"] == "Bearer",
            "{name}"
        );
    }
    let sql = "SELECT (SELECT count(*) FROM public.backups) + (SELECT count(*) FROM public.restore_operations)";
    let row = running.owner().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "something was begun all the same");
}

/// What is to come is refused like what never will, and what is possible is named.
#[tokio::test(flavor = "multi_thread")]
async fn other_targets_of_a_restore_are_refused_by_naming_the_possible_one() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running.backed_up(&admin, json!({ "type": "config" })).await;
    let path = format!("/api/backups/{id}/restore");
    for target in ["sandbox", "url", "verify", "in_place", ""] {
        let body = Some(json!({ "target": target }));
        let (status, told) = running.call(&admin, "POST", &path, body).await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!("bad_field")),
            "{told}"
        );
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains("`inPlace`"), "{target}: {detail}");
    }
}
