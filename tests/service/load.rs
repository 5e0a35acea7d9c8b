//! Many at once.

use crate::stack::{CRON_SECRET, Person, Running};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// As many as `create` lets one person ask for in a minute.
const CREATES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_readers_at_once_are_all_answered() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let (viewer, customer) = (
        running.sign_in(Person::Viewer).await,
        running.sign_in(Person::Customer).await,
    );
    let id = running.backed_up(&admin, json!({ "type": "full" })).await;
    let paths = [
        "/api/backups/list".to_string(),
        format!("/api/backups/{id}/details"),
        format!("/api/backups/{id}/restore/status"),
        "/api/status/health".to_string(),
        "/api/backups/list".to_string(),
    ];
    let calls = (0..200).map(|number| {
        let path = &paths[number % paths.len()];
        // The customer sees the list and health of its own, and no backup of the others.
        let token = match (number % 3, number % paths.len()) {
            (0, _) => &admin,
            (1, 0 | 3 | 4) => &customer,
            _ => &viewer,
        };
        running.call(token, "GET", path, None)
    });
    for (number, (status, told)) in join_all(calls).await.into_iter().enumerate() {
        let path = &paths[number % paths.len()];
        assert_eq!(status, 200, "{path}: {told}");
        assert!(told["code"].is_null(), "{path}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_backups_asked_for_at_once_are_all_taken() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let body = json!({ "type": "database" });
    let calls = (0..CREATES)
        .map(|_| running.call(&admin, "POST", "/api/backups/create", Some(body.clone())));
    let mut ids = BTreeSet::new();
    for (status, created) in join_all(calls).await {
        assert_eq!(status, 202, "{created}");
        ids.insert(created["id"].as_str().unwrap().to_string());
    }
    assert_eq!(ids.len(), CREATES);
    all_ended(&running, &admin).await;
    let (_, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    let of = |field: &str| -> Vec<&Value> {
        let backups = list["backups"].as_array().unwrap().iter();
        backups.map(|backup| &backup[field]).collect()
    };
    assert_eq!(of("status"), vec!["completed"; CREATES], "{list}");
    // Nobody was kept from the database by the others.
    let sql = "SELECT count(*) FROM public.rovodev_jobs WHERE last_error IS NOT NULL OR token <> 1";
    let tried_again: i64 = running
        .owner()
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(tried_again, 0);
    let (status, waiting) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &waiting["waiting"]), (200, &json!(0)));
}

async fn all_ended(running: &Running, token: &str) {
    let path = "/api/backups/list?status=pending,in_progress&limit=1";
    for _ in 0..1200 {
        let (status, list) = running.call(token, "GET", path, None).await;
        assert_eq!(status, 200, "{list}");
        if list["total"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("backups still run after two minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_list_is_one_request_to_postgrest() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let fill = "INSERT INTO public.backups \
            (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, created_at, size_bytes) \
         SELECT t.id, 'backup ' || n, 'x', 'database', 'completed', 'x', now(), now() - n * interval '1 minute', n \
         FROM public.rovodev_tenants t, generate_series(1, 10000) n WHERE t.slug = 'default'";
    running.superuser().await.batch_execute(fill).await.unwrap();
    let mut path = "/api/backups/list?limit=200&q=backup".to_string();
    let mut seen = BTreeSet::new();
    for page in 0..3 {
        let before = running.project.catalog_requests();
        let (status, list) = running.call(&admin, "GET", &path, None).await;
        assert_eq!((status, &list["total"]), (200, &json!(10_000)), "{list}");
        assert_eq!(
            running.project.catalog_requests() - before,
            1,
            "page {page}"
        );
        let backups = list["backups"].as_array().unwrap();
        seen.extend(
            backups
                .iter()
                .map(|b| b["id"].as_str().unwrap().to_string()),
        );
        let next = list["nextCursor"].as_str().unwrap();
        path = format!("/api/backups/list?limit=200&q=backup&cursor={next}");
    }
    assert_eq!(seen.len(), 600);
}

/// Ids of a page, and where the next one begins.
async fn page(running: &Running, token: &str, query: &str) -> (Vec<String>, Option<String>) {
    let path = format!("/api/backups/list?{query}");
    let (status, list) = running.call(token, "GET", &path, None).await;
    assert_eq!((status, &list["total"]), (200, &json!(450)), "{list}");
    let backups = list["backups"].as_array().unwrap().iter();
    let ids = backups.map(|b| b["id"].as_str().unwrap().to_string());
    let next = list["nextCursor"].as_str();
    (ids.collect(), next.map(str::to_string))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_begins_anywhere_in_the_order_of_the_cursors() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let ties = "INSERT INTO public.backups \
            (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, created_at, size_bytes) \
         SELECT t.id, 'backup ' || n, 'x', 'database', 'completed', 'x', now(), now() - n / 9 * interval '1 minute', n / 7 \
         FROM public.rovodev_tenants t, generate_series(1, 450) n WHERE t.slug = 'default'";
    running.superuser().await.batch_execute(ties).await.unwrap();
    for order in ["sort=createdAt", "sort=size&order=asc", "sort=type"] {
        let (mut all, mut next) = page(&running, &admin, &format!("{order}&limit=200")).await;
        while let Some(cursor) = next {
            let query = format!("{order}&limit=200&cursor={cursor}");
            let (more, after) = page(&running, &admin, &query).await;
            all.extend(more);
            next = after;
        }
        assert_eq!(all.len(), 450);
        for offset in [0, 1, 197, 430, 450, 1_000_000] {
            let query = format!("{order}&limit=30&offset={offset}");
            let (window, next) = page(&running, &admin, &query).await;
            let expected = all.iter().skip(offset).take(30);
            assert!(window.iter().eq(expected), "{query}");
            let Some(cursor) = next else {
                assert!(offset + 30 >= 450, "{query}");
                continue;
            };
            let query = format!("{order}&limit=30&cursor={cursor}");
            let after = page(&running, &admin, &query).await.0;
            let expected = all.iter().skip(offset + 30).take(30);
            assert!(after.iter().eq(expected), "{query}");
        }
    }
    for query in [
        "offset=1&cursor=x",
        "offset=x",
        "offset=-1",
        "offset=1000001",
    ] {
        let path = format!("/api/backups/list?{query}");
        let (status, told) = running.call(&admin, "GET", &path, None).await;
        let told = (status, &told["code"]);
        assert_eq!(told, (400, &json!("bad_parameter")), "{query}");
    }
}

/// Readers, writers and watchers: each request is answered, and a key asked for at once makes one backup.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_of_every_kind_at_once_are_all_answered() {
    const KEYS: usize = 5;
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let id = running.backed_up(&admin, json!({ "type": "full" })).await;
    let status = format!("/api/backups/{id}/restore/status");
    let calls = (0..200).map(async |number: usize| {
        let request = match number % 20 {
            0 => running
                .request("POST", "/api/backups/create")
                .header("content-type", "application/json")
                .header("idempotency-key", format!("key {}", number / 20 % KEYS))
                .body(r#"{"type":"config"}"#),
            1..7 => running
                .request("GET", &status)
                .header("accept", "text/event-stream"),
            7..13 => running.request("GET", "/api/backups/list"),
            _ => running.request("GET", &format!("/api/backups/{id}/details")),
        };
        let answer = request.bearer_auth(&admin).send().await.unwrap();
        let status = answer.status().as_u16();
        (number % 20, status, answer.text().await.unwrap())
    });
    let mut made = BTreeSet::new();
    for (kind, status, text) in join_all(calls).await {
        let expected = if kind == 0 { 202 } else { 200 };
        assert_eq!(status, expected, "{text}");
        match kind {
            0 => {
                let created: Value = serde_json::from_str(&text).unwrap();
                made.insert(created["id"].as_str().unwrap().to_string());
            }
            1..7 => assert!(text.contains("\"status\":\"completed\""), "{text}"),
            _ => {}
        }
    }
    assert_eq!(made.len(), KEYS);
    all_ended(&running, &admin).await;
    let (_, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    assert_eq!(list["total"], json!(KEYS + 1), "{list}");
}
