//! `/api/backups/list?format=…`: the whole list as a file.

use crate::download::whole;
use crate::stack::{Person, Running};
use serde_json::{Value, json};

/// More than two pages, with names that a spreadsheet would run.
const MANY: &str = "INSERT INTO backups (tenant_id, name, backup_path, backup_type, note, created_at)
    SELECT t.id, CASE n % 2 WHEN 0 THEN '=cmd|' ELSE 'b, ' END || n, 'backups/x', 'database', '-1+1',
        now() - make_interval(mins => n)
    FROM rovodev_tenants t, generate_series(1, 451) n WHERE t.slug = 'default'";

async fn read(running: &Running, token: &str, query: &str) -> (String, Vec<u8>) {
    let answer = running
        .request("GET", &format!("/api/backups/list?{query}"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let name = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_string();
    (name, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_in_the_file() {
    let running = Running::start().await;
    let viewer = running.sign_in(Person::Viewer).await;
    running.superuser().await.batch_execute(MANY).await.unwrap();
    let (name, text) = read(&running, &viewer, "format=csv").await;
    assert_eq!(name, "attachment; filename=\"backups.csv\"");
    let mut csv = csv::Reader::from_reader(&text[..]);
    assert_eq!(&csv.headers().unwrap()[1], "name");
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 451);
    assert_eq!(
        (&rows[0][1], &rows[1][1], &rows[450][1]),
        ("b, 1", "'=cmd|2", "b, 451")
    );
    assert!(text.windows(5).any(|w| w == b"'-1+1"), "the note");

    let (_, text) = read(&running, &viewer, "format=json&q=cmd&order=asc").await;
    let list: Value = serde_json::from_slice(&text).unwrap();
    let all = list["backups"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["name"]), (225, &json!("=cmd|450")));
    let ids: std::collections::BTreeSet<_> = all.iter().map(|b| b["id"].as_str()).collect();
    assert_eq!(ids.len(), 225);
    let (_, page) = running
        .call(
            &viewer,
            "GET",
            "/api/backups/list?q=cmd&order=asc&limit=1",
            None,
        )
        .await;
    assert_eq!(page["backups"][0], all[0]);
    let done = ("done".to_string(), None);
    assert_eq!(
        running.audited("backup.list.export").await,
        [done.clone(), done]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_nothing_foreign_and_is_asked_for_whole() {
    let running = Running::start().await;
    let customer = running.sign_in(Person::Customer).await;
    running.superuser().await.batch_execute(MANY).await.unwrap();
    let (_, text) = read(&running, &customer, "format=csv").await;
    assert_eq!(csv::Reader::from_reader(&text[..]).records().count(), 0);
    assert!(
        text.starts_with(b"id,name,"),
        "the columns are there all the same"
    );
    let (_, text) = read(&running, &customer, "format=json").await;
    assert_eq!(
        serde_json::from_slice::<Value>(&text).unwrap(),
        json!({ "backups": [] })
    );
    for query in [
        "format=xml",
        "format=csv&limit=5",
        "format=csv&cursor=x",
        "format=csv&offset=0",
    ] {
        let path = format!("/api/backups/list?{query}");
        let (status, told) = running.call(&customer, "GET", &path, None).await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!("bad_parameter")),
            "{query}"
        );
    }
    let unsigned = running
        .follow("/api/backups/list?format=csv")
        .send()
        .await
        .unwrap();
    assert_eq!(unsigned.status(), 401);
    let live = whole(&running, "/api/status/health?probe=live").await;
    assert!(!live.1.is_empty(), "others answer as before");
}
