//! HEAD, OPTIONS, and pages of other origins.

use crate::requests::{JSON, told};
use crate::stack::{ALLOWED_ORIGIN, Person, Running};
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn head_and_options_answer_without_a_body() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Viewer).await;
    let (list, live) = ("/api/backups/list", "/api/status/health?probe=live");
    let got = running
        .request("GET", list)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let length = got.text().await.unwrap().len();
    let (status, _, headers) = told(running.request("HEAD", list).bearer_auth(&token)).await;
    assert_eq!(
        (status, headers["content-length"].to_str().unwrap()),
        (200, length.to_string().as_str())
    );
    assert_eq!(told(running.request("HEAD", live)).await.0, 200);
    assert_eq!(told(running.request("HEAD", list)).await.0, 401);
    let (status, _, headers) = told(running.request("OPTIONS", list)).await;
    assert_eq!(
        (status, &headers["allow"]),
        (204, &"GET, HEAD, OPTIONS".parse().unwrap())
    );
    let (status, _, headers) = told(
        running
            .request("PUT", "/api/backups/create")
            .bearer_auth(&token),
    )
    .await;
    assert_eq!(
        (status, &headers["allow"]),
        (405, &"POST, OPTIONS".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_write_only_where_they_may() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    let own = running.project.url();
    let patch = |origin: &str| {
        running
            .request("PATCH", &format!("/api/backups/{}/details", Uuid::now_v7()))
            .bearer_auth(&token)
            .header("content-type", JSON)
            .header("origin", origin)
            .body(json!({ "note": "x" }).to_string())
    };
    let ask = |origin: &str| {
        running
            .request("OPTIONS", "/api/backups/create")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
    };
    for (origin, written, asked, readable) in [
        (own.as_str(), 404, 204, false),
        (ALLOWED_ORIGIN, 404, 204, true),
        ("https://dashboard.example.evil", 403, 403, false),
        ("http://dashboard.example", 403, 403, false),
        ("https://evil.example", 403, 403, false),
        ("null", 403, 403, false),
    ] {
        for (request, expected) in [(patch(origin), written), (ask(origin), asked)] {
            let (status, _, headers) = told(request).await;
            assert_eq!(status, expected, "{origin}");
            let opened = headers.get("access-control-allow-origin");
            assert_eq!(
                opened.map(|v| v.to_str().unwrap()),
                readable.then_some(origin)
            );
            assert_eq!(headers["vary"], "origin");
        }
        // Reading needs the token, and a foreign page's script is not let at the answer.
        let list = running
            .request("GET", "/api/backups/list")
            .bearer_auth(&token);
        let (status, _, headers) = told(list.header("origin", origin)).await;
        assert_eq!(
            (status, headers.contains_key("access-control-allow-origin")),
            (200, readable)
        );
    }
    let (_, _, headers) = told(ask(ALLOWED_ORIGIN)).await;
    assert_eq!(headers["access-control-allow-methods"], "POST, OPTIONS");
    assert!(
        headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("authorization")
    );
    assert!(!headers.contains_key("access-control-allow-credentials"));
}
