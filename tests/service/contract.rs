//! An answer that `docs/openapi.json` does not have is found, whatever is wrong with it.

use crate::stack::{Person, Running};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use local::contract::Contract;
use rovodev::http::answer::full;
use rovodev::http::{Body, Problem, guard};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const EVENTS: &str = "text/event-stream";

/// With the headers that every answer has.
fn answer(status: u16, kind: &str, body: Body) -> Response<Body> {
    let made = guard::turned_away(Problem::not_found()).response;
    let (mut parts, _) = made.into_parts();
    parts.status = StatusCode::from_u16(status).unwrap();
    parts.headers.insert("content-type", kind.parse().unwrap());
    Response::from_parts(parts, body)
}

fn whole(status: u16, kind: &str, body: &Value) -> Response<Body> {
    answer(status, kind, full(body.to_string()))
}

fn streamed(kind: &str, pieces: &[&str]) -> Response<Body> {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::from(piece.to_string()))))
        .collect();
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
    answer(200, kind, body)
}

fn without(header: &str, mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().remove(header);
    response
}

fn with(header: &'static str, value: &str, mut response: Response<Body>) -> Response<Body> {
    let value = value.parse().unwrap();
    response.headers_mut().insert(header, value);
    response
}

fn problem(status: u16, code: &str) -> Response<Body> {
    let body = json!({ "code": code, "title": "x", "status": status });
    whole(status, PROBLEM, &body)
}

#[tokio::test]
async fn what_is_not_documented_is_found() {
    let contract = Contract::read().unwrap();
    let (live, list) = ("/api/status/health", "/api/backups/list");
    let details = "/api/backups/0199f3a0-5f3e-7c3e-9d9e-2a1c7c1b5d10/details";
    let alive = || whole(200, JSON, &json!({ "status": "ok" }));
    let deleted = || without("content-type", answer(204, JSON, full("")));
    let cases = [
        ("", "GET", live, alive()),
        ("", "HEAD", live, answer(200, JSON, full(""))),
        ("", "DELETE", details, deleted()),
        ("", "GET", details, problem(404, "not_found")),
        ("", "GET", "/api/nothing", problem(404, "not_found")),
        (
            "unknown field",
            "GET",
            live,
            whole(200, JSON, &json!({ "status": "ok", "more": 1 })),
        ),
        ("statuses are", "GET", live, problem(418, "not_found")),
        ("statuses are", "PUT", live, alive()),
        ("statuses are", "GET", "/api/nothing", alive()),
        ("statuses are", "OPTIONS", live, alive()),
        ("\"no_link\"", "GET", details, problem(404, "no_link")),
        ("no JSON", "GET", live, answer(200, JSON, full("{"))),
        (
            "text/plain",
            "GET",
            live,
            answer(200, "text/plain", full("ok")),
        ),
        (
            "no content-type",
            "GET",
            live,
            without("content-type", alive()),
        ),
        (
            "a body of 1 bytes",
            "DELETE",
            details,
            without("content-type", answer(204, JSON, full("x"))),
        ),
        (
            "x-request-id is missing",
            "GET",
            live,
            without("x-request-id", alive()),
        ),
        (
            "x-more is not documented",
            "GET",
            live,
            with("x-more", "1", alive()),
        ),
        (
            "cache-control must not be",
            "GET",
            live,
            with("cache-control", "public", alive()),
        ),
        (
            "retry-after is missing",
            "GET",
            list,
            problem(429, "rate_limited"),
        ),
        (
            "retry-after must not be",
            "GET",
            list,
            with("retry-after", "soon", problem(429, "rate_limited")),
        ),
    ];
    for (why, method, path, response) in cases {
        let sent = (response.status(), response.headers().clone());
        let method: Method = method.parse().unwrap();
        let held = contract.hold(&method, path, response).await;
        let case = format!("{method} {path} {why}");
        if why.is_empty() {
            assert_eq!((held.status(), held.headers().clone()), sent, "{case}");
            continue;
        }
        assert_eq!(held.status(), 500, "{case}");
        let told = held.into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["code"], "undocumented_answer", "{case}");
        let why = why.replace("unknown field", "more");
        assert!(
            told["detail"].as_str().unwrap().contains(&why),
            "{case}: {told}"
        );
    }
}

#[tokio::test]
async fn what_streams_is_checked_while_it_passes() {
    let contract = Contract::read().unwrap();
    let id = "0199f3a0-5f3e-7c3e-9d9e-2a1c7c1b5d10";
    let status = format!("/api/backups/{id}/restore/status");
    let mut progress = json!({
        "kind": "backup", "operationId": id, "backupId": id, "status": "pending", "warnings": [],
        "progress": { "current": 0, "total": 0, "step": "" }, "errorCode": null, "error": null,
        "startedAt": null, "completedAt": null, "estimatedTime": null,
    });
    let event = |data: &Value| format!("id: 0123456789abcdef\nevent: status\ndata: {data}\n\n");
    let good = event(&progress);
    progress["more"] = json!(1);
    let bad = event(&progress);
    let (half, rest) = good.split_at(40);
    let list = "/api/backups/list";
    let (kept, lost) = (Some(()), None);
    for (path, kind, pieces, expected) in [
        (
            status.as_str(),
            EVENTS,
            vec![": still here\n\n", half, rest],
            kept,
        ),
        (&status, EVENTS, vec![&good, &bad], lost),
        (&status, EVENTS, vec![&good, half], lost),
        (&status, EVENTS, vec!["data: {}\n\n"], lost),
        (list, JSON, vec!["{\"backups\":", "[]}"], kept),
        (list, JSON, vec!["{\"backups\":", "[{}]}"], lost),
        (list, "text/csv; charset=utf-8", vec!["a,b"], kept),
    ] {
        let response = streamed(kind, &pieces);
        let held = contract.hold(&Method::GET, path, response).await;
        assert_eq!(held.status(), 200, "it goes on streaming");
        let read = held.into_body().collect().await.map(|b| b.to_bytes()).ok();
        let expected = expected.map(|()| Bytes::from(pieces.concat()));
        assert_eq!(read, expected, "{pieces:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_functions_are_held_to_it() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running.backed_up(&admin, json!({ "type": "config" })).await;
    let path = format!("/api/backups/{id}/details");
    assert_eq!(running.call(&admin, "GET", &path, None).await.0, 200);
    let sql = "UPDATE public.backups SET progress = '{\"undocumented\": true}'";
    running.superuser().await.batch_execute(sql).await.unwrap();
    for path in [path.as_str(), "/api/backups/list"] {
        let (status, told) = running.call(&admin, "GET", path, None).await;
        assert_eq!(
            (status, &told["code"]),
            (500, &json!("undocumented_answer")),
            "{told}"
        );
    }
}
