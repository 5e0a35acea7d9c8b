//! Who gets a link, what it shows of whom, and how it ends.

use crate::download::{entries, link, whole};
use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn operators_make_links_and_foreign_backups_are_like_none() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let viewer = running.sign_in(Person::Viewer).await;
    let customer = running.sign_in(Person::Customer).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let path = format!("/api/backups/{backup}/download");
    let unknown = format!("/api/backups/{}/download", Uuid::now_v7());
    for method in ["POST", "DELETE"] {
        let body = || (method == "POST").then(|| json!({}));
        let (status, told) = running.call(&viewer, method, &path, body()).await;
        assert_eq!(
            (status, &told["code"]),
            (403, &json!("forbidden")),
            "{method}"
        );
        let foreign = running.call(&customer, method, &path, body()).await;
        let none = running.call(&customer, method, &unknown, body()).await;
        assert_eq!(foreign.0, 404);
        assert_eq!(foreign, none, "{method}");
        let (status, _) = running.call("forged", method, &path, body()).await;
        assert_eq!(status, 401);
    }
    assert_eq!(
        running.audited("backup.download").await,
        [
            ("refused".into(), Some("forbidden".into())),
            ("refused".into(), Some("not_found".into())),
            ("refused".into(), Some("not_found".into())),
        ]
    );
    assert_eq!(running.audited("backup.revoke").await.len(), 3);
    let made = link(&running, &admin, &backup, json!({})).await;
    whole(&running, made["url"].as_str().unwrap()).await;
    whole(&running, made["url"].as_str().unwrap()).await;
    let done = &running.audited("backup.download").await[3..];
    assert_eq!(
        done,
        [
            ("done".into(), None),
            ("done".into(), Some("opened".into()))
        ]
    );
}

/// Status and body of a link that is no good; the path as given.
async fn refused(running: &Running, url: &str) -> (u16, Value) {
    let answer = running.follow(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_ended_and_forged_ones_get_one_answer() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let operator = running.sign_in(Person::Operator).await;
    let superuser = running.superuser().await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let other = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let own = format!("/api/backups/{backup}/download");
    let forged = refused(&running, &format!("{own}?link={}", "0".repeat(64))).await;
    assert_eq!((forged.0, &forged.1["code"]), (404, &json!("no_link")));
    assert_eq!(refused(&running, &own).await, forged, "no link at all");

    let made = link(&running, &operator, &backup, json!({})).await;
    let url = made["url"].as_str().unwrap();
    assert_eq!(
        refused(&running, &url.replace(&backup, &other)).await,
        forged,
        "another backup"
    );
    let role = |role: &str| {
        format!(
            "UPDATE rovodev_members SET role = '{role}' WHERE email = 'operator@callcenter.example'"
        )
    };
    superuser.batch_execute(&role("viewer")).await.unwrap();
    assert_eq!(
        refused(&running, url).await,
        forged,
        "its maker may not any more"
    );
    superuser.batch_execute(&role("operator")).await.unwrap();
    whole(&running, url).await;
    let (status, _) = running.call(&admin, "DELETE", &own, None).await;
    assert_eq!(status, 204);
    assert_eq!(refused(&running, url).await, forged, "revoked");

    let made = link(&running, &operator, &backup, json!({})).await;
    let expire = "UPDATE rovodev_download_links SET expires_at = now() WHERE revoked_at IS NULL";
    superuser.batch_execute(expire).await.unwrap();
    assert_eq!(
        refused(&running, made["url"].as_str().unwrap()).await,
        forged,
        "expired"
    );

    let made = link(&running, &operator, &backup, json!({})).await;
    let details = format!("/api/backups/{backup}/details");
    assert_eq!(running.call(&admin, "DELETE", &details, None).await.0, 204);
    assert_eq!(
        refused(&running, made["url"].as_str().unwrap()).await,
        forged,
        "deleted"
    );
    let codes: Vec<_> = running.audited("backup.download").await;
    for code in ["forbidden", "link_revoked", "link_expired"] {
        let row = ("refused".to_string(), Some(code.to_string()));
        assert!(codes.contains(&row), "{code} in {codes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scoped_tenant_gets_its_rows_and_nothing_else() {
    let running = Running::start().await;
    let customer = running.sign_in(Person::Customer).await;
    let backup = running.backed_up(&customer, json!({})).await;
    let made = link(&running, &customer, &backup, json!({ "format": "tar" })).await;
    let (_, tar) = whole(&running, made["url"].as_str().unwrap()).await;
    let names = entries(&tar);
    let plain = |n: &String| n.split_once('/').unwrap().1.to_string();
    let names: Vec<String> = names.iter().map(plain).collect();
    let (rows, rest): (Vec<_>, Vec<_>) = names.into_iter().partition(|n| n.starts_with("rows/"));
    assert!(!rows.is_empty());
    assert_eq!(rest, ["restore.sql", "before.sql", "rows.sql", "after.sql"]);

    let made = link(&running, &customer, &backup, json!({})).await;
    let (_, packed) = whole(&running, made["url"].as_str().unwrap()).await;
    let sql = String::from_utf8(zstd::stream::decode_all(&packed[..]).unwrap()).unwrap();
    assert!(sql.contains("COPY \"public\".\"calls\""));
    for told in [
        "database postgres",
        "CREATE ",
        "SELECT pg_catalog.setval('",
        "REFRESH",
    ] {
        assert!(!sql.contains(told), "{told}");
    }
    let made = link(&running, &customer, &backup, json!({ "table": "calls" })).await;
    let (_, text) = whole(&running, made["url"].as_str().unwrap()).await;
    let mut read = csv::Reader::from_reader(&text[..]);
    let at = read
        .headers()
        .unwrap()
        .iter()
        .position(|c| c == "organization_id")
        .unwrap();
    let mut owners: Vec<String> = read.records().map(|r| r.unwrap()[at].to_string()).collect();
    owners.dedup();
    assert_eq!(owners.len(), 1, "{owners:?}");
    let path = format!("/api/backups/{backup}/download");
    let (status, _) = running
        .call(
            &customer,
            "POST",
            &path,
            Some(json!({ "file": "vercel.json" })),
        )
        .await;
    assert_eq!(status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_before_a_scope_is_closed_to_it() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let made = link(&running, &admin, &backup, json!({})).await;
    let narrow = "UPDATE rovodev_tenants SET scope_column = 'organization_id', scope_value = 'x' WHERE slug = 'default'";
    running
        .superuser()
        .await
        .batch_execute(narrow)
        .await
        .unwrap();
    assert_eq!(
        refused(&running, made["url"].as_str().unwrap()).await.0,
        404
    );
    let closed = async |table: &str| {
        let seen = running
            .request("GET", &format!("/rest/v1/{table}select=id"))
            .header("apikey", &running.project.keys().publishable)
            .bearer_auth(&admin);
        let seen = seen.send().await.unwrap().text().await.unwrap();
        assert_eq!(seen, "[]", "{table}");
    };
    for table in ["backups", "restore_operations", "rovodev_exports"] {
        closed(&format!("{table}?")).await;
    }
    closed("rovodev_audit_log?action=eq.backup.create&").await;
    for (method, path) in [
        ("POST", format!("/api/backups/{backup}/download")),
        ("POST", format!("/api/backups/{backup}/restore")),
        ("GET", format!("/api/backups/{backup}/details")),
        ("DELETE", format!("/api/backups/{backup}/details")),
    ] {
        let body = (method == "POST").then(|| json!({}));
        let (status, told) = running.call(&admin, method, &path, body).await;
        assert_eq!(
            (status, &told["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
    let (_, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    assert_eq!((&list["total"], &list["backups"]), (&json!(0), &json!([])));
}

/// Everything that this process logs, at the finest.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_in_the_link_and_nowhere_else() {
    let log = Log::default();
    let written = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("rovodev=trace")
        .with_writer(move || written.clone())
        .init();
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let made = link(&running, &admin, &backup, json!({})).await;
    let url = made["url"].as_str().unwrap();
    let (path, secret) = url.split_once("?link=").unwrap();
    assert!(secret.len() >= 43, "256 bits");
    whole(&running, url).await;
    running.call(&admin, "DELETE", path, None).await;
    refused(&running, url).await;
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains(path), "{logged}");
    assert!(!logged.contains(secret));
    let kept = running
        .superuser()
        .await
        .query_one(
            "SELECT (SELECT string_agg(l::text, '') FROM rovodev_download_links l)
                || (SELECT string_agg(a::text, '') FROM rovodev_audit_log a)",
            &[],
        )
        .await
        .unwrap();
    let kept: String = kept.get(0);
    assert!(kept.contains(&backup) && !kept.contains(secret));
}
