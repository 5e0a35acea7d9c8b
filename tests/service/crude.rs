//! Functions of the catalog called past ours, with what these never send.

use crate::stack::{Person, Running};
use serde_json::{Value, json};
use uuid::Uuid;

/// What our own functions never send: refused, or kept within bounds.
#[tokio::test(flavor = "multi_thread")]
async fn crude_requests_past_the_functions_leave_nothing_crude() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let long = "x".repeat(3_000_000);
    let create = |request: Value| ("rovodev_create_backup", json!({ "request": request }));
    let change = |change: Value| {
        let arguments = json!({ "backup": backup, "change": change });
        ("rovodev_change_backup", arguments)
    };
    let refused = [
        create(json!(5)),
        create(json!([])),
        create(json!({ "name": "latest" })),
        create(json!({ "name": "\u{1b}[2Jgone" })),
        create(json!({ "name": "a/b" })),
        create(json!({ "name": "" })),
        create(json!({ "name": Uuid::nil() })),
        create(json!({ "more": [long, long] })),
        create(json!({ "schemas": vec!["a"; 501] })),
        create(json!({ "schemas": ["x".repeat(64)] })),
        create(json!({ "tables": [{ "schema": "public", "name": "x".repeat(64) }] })),
        create(json!({ "name": ["latest"] })),
        change(json!({ "name": 5 })),
        change(json!({ "note": { "a": 1 } })),
        change(json!(true)),
        change(json!({ "name": " latest" })),
        change(json!({ "name": "two\nlines" })),
        (
            "rovodev_restore_backup",
            json!({ "backup": backup, "request": 7 }),
        ),
        (
            "rovodev_download_backup",
            json!({ "backup": backup, "request": [], "secret_hash": "00" }),
        ),
    ];
    for (function, arguments) in refused {
        let told = running.rpc(&admin, function, arguments.clone()).await;
        let shown: String = arguments.to_string().chars().take(99).collect();
        assert_eq!(told["code"], "bad_request", "{function} {shown}: {told}");
    }
    let forged =
        json!({ "request": { "type": "database" }, "address": "9.9.9.9\u{1b}[2J\u{202e}x\n" });
    running.rpc(&admin, "rovodev_create_backup", forged).await;
    let tables = json!([{ "schema": "public", "name": "calls", "more": long }]);
    for (function, arguments) in [
        create(json!({ "type": "database", "tables": tables, "more": 1 })),
        change(json!({ "name": "fine", "more": long })),
        (
            "rovodev_restore_backup",
            json!({ "backup": backup, "request": { "preview": true, "more": long } }),
        ),
    ] {
        let told = running.rpc(&admin, function, arguments).await;
        assert_eq!(told["outcome"], "done", "{function}: {told}");
    }
    for (hash, status) in [("", 400), ("00", 400), (&*"0".repeat(64), 200)] {
        let request = json!({ "format": "tar" });
        let arguments =
            json!({ "backup": backup, "request": request, "secret_hash": hash, "seconds": 3600 });
        let answer = running
            .request("POST", "/rest/v1/rpc/rovodev_download_backup")
            .header("apikey", &running.project.keys().publishable)
            .bearer_auth(&admin)
            .header("content-type", "application/json")
            .body(arguments.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{hash:?}");
    }
    let sql = "SELECT (SELECT max(octet_length(to_jsonb(a)::text)) FROM rovodev_audit_log a), \
         (SELECT max(octet_length((to_jsonb(b) - 'contents')::text)) FROM backups b), \
         (SELECT max(octet_length(to_jsonb(o)::text)) FROM restore_operations o), \
         (SELECT max(extract(epoch FROM expires_at - created_at))::int FROM rovodev_download_links), \
         (SELECT string_agg(DISTINCT address, ' ') FROM rovodev_audit_log WHERE address LIKE '9.%')";
    let row = running.superuser().await.query_one(sql, &[]).await.unwrap();
    for column in 0..3 {
        assert!(row.get::<_, i32>(column) < 20_000, "column {column}");
    }
    assert_eq!(row.get::<_, i32>(3), 300);
    assert_eq!(row.get::<_, &str>(4), "9.9.9.92");
}
