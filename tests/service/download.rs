//! `/api/backups/[id]/download`: the file behind a link.

use crate::stack::{Person, Running};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::io::Read;

/// Rows that are hard to put into a spreadsheet.
const HARD: &str = "CREATE TABLE public.\"no, tes\" (id int PRIMARY KEY, text text);
    INSERT INTO public.\"no, tes\" VALUES (1, '=HYPERLINK(\"x\")'), (2, NULL), (3, '-5'), (4, E'a,\"b\"\\nc\\t\\\\d'),
        (5, '@sum'), (6, '')";

pub async fn link(running: &Running, token: &str, backup: &str, body: Value) -> Value {
    let path = format!("/api/backups/{backup}/download");
    let (status, made) = running.call(token, "POST", &path, Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made
}

pub async fn whole(running: &Running, url: &str) -> (HeaderMap, Vec<u8>) {
    let answer = running.follow(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    (headers, answer.bytes().await.unwrap().to_vec())
}

async fn range(
    running: &Running,
    url: &str,
    range: &str,
    known: Option<&str>,
) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = running.follow(url).header("range", range);
    if let Some(tag) = known {
        request = request.header("if-range", tag);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_streams_a_backup_in_every_form_without_a_token() {
    let running = Running::start().await;
    let operator = running.sign_in(Person::Operator).await;
    running.superuser().await.batch_execute(HARD).await.unwrap();
    let backup = running
        .backed_up(&operator, json!({ "type": "full", "name": "Über \"all\"" }))
        .await;
    let made = link(&running, &operator, &backup, json!({})).await;
    let expires =
        chrono::DateTime::parse_from_rfc3339(made["expiresAt"].as_str().unwrap()).unwrap();
    let minutes = (expires.to_utc() - chrono::Utc::now()).num_minutes();
    assert!(
        (1..=10).contains(&minutes) && made["format"] == "sql.zst",
        "{made}"
    );

    let url = made["url"].as_str().unwrap();
    let (headers, packed) = whole(&running, url).await;
    assert_eq!(headers["content-type"], "application/zstd");
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"_ber__all_.sql.zst\""
    );
    assert_eq!(headers["content-length"], packed.len().to_string());
    assert_eq!(
        (&headers["accept-ranges"], &headers["cache-control"]),
        (&"bytes".parse().unwrap(), &"no-store".parse().unwrap())
    );
    let sql = String::from_utf8(zstd::stream::decode_all(&packed[..]).unwrap()).unwrap();
    assert!(sql.ends_with(&format!("-- The end of Rovodev backup {backup}\n")));
    assert!(sql.contains("CREATE TABLE \"public\".\"calls\""));

    // Stored in another codec: of unknown length, so no ranges.
    let made = link(&running, &operator, &backup, json!({ "format": "sql.gz" })).await;
    let (status, headers, packed) =
        range(&running, made["url"].as_str().unwrap(), "bytes=5-9", None).await;
    assert_eq!(
        (status, &headers["accept-ranges"]),
        (200, &"none".parse().unwrap())
    );
    assert!(headers.get("content-length").is_none());
    let mut same = String::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_string(&mut same)
        .unwrap();
    assert_eq!(same, sql);

    let made = link(&running, &operator, &backup, json!({ "format": "tar" })).await;
    let url = made["url"].as_str().unwrap();
    let (headers, tar) = whole(&running, url).await;
    assert_eq!(headers["content-type"], "application/x-tar");
    let names = entries(&tar);
    for name in ["manifest.json", "restore.sql", "config/vercel.json"] {
        assert!(
            names.iter().any(|n| n.ends_with(name)),
            "{name} in {names:?}"
        );
    }
    ranges_join(&running, url, &headers, &tar).await;
}

async fn ranges_join(running: &Running, url: &str, headers: &HeaderMap, all: &[u8]) {
    let n = all.len();
    let tag = headers["etag"].to_str().unwrap();
    // Across the borders of the parts that it is made of.
    for (from, to) in [
        (0, 0),
        (0, 511),
        (500, 1600),
        (n / 3, n / 2),
        (n - 1030, n - 1),
    ] {
        let (status, headers, part) =
            range(running, url, &format!("bytes={from}-{to}"), Some(tag)).await;
        assert_eq!((status, part.as_slice()), (206, &all[from..=to]));
        assert_eq!(headers["content-range"], format!("bytes {from}-{to}/{n}"));
        assert_eq!(headers["content-length"], part.len().to_string());
    }
    let (_, _, end) = range(running, url, "bytes=-7", None).await;
    assert_eq!(end, &all[n - 7..]);
    let (status, headers, told) = range(running, url, &format!("bytes={n}-"), None).await;
    assert_eq!(
        (status, headers["content-range"].to_str().unwrap()),
        (416, format!("bytes */{n}").as_str())
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&told).unwrap()["code"],
        "bad_range"
    );
    let (status, _, whole) = range(running, url, "bytes=0-9", Some("\"another\"")).await;
    assert_eq!((status, whole.len()), (200, n), "another file by now");
}

pub fn entries(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let paths = archive
        .entries()
        .unwrap()
        .map(|e| e.unwrap().path().unwrap().display().to_string());
    paths.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_comes_as_csv_that_no_spreadsheet_runs() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    running.superuser().await.batch_execute(HARD).await.unwrap();
    let backup = running
        .backed_up(&admin, json!({ "type": "database", "name": "n" }))
        .await;
    let wanted = json!({ "table": "public.\"no, tes\"" });
    let made = link(&running, &admin, &backup, wanted).await;
    assert_eq!(
        made["table"],
        json!({ "schema": "public", "name": "no, tes" })
    );
    let (headers, text) = whole(&running, made["url"].as_str().unwrap()).await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"n_public.no__tes.csv\""
    );
    let mut read = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&text[..]);
    let rows: Vec<Vec<String>> = read.deserialize().map(Result::unwrap).collect();
    let expected = [
        ["id", "text"],
        ["1", "'=HYPERLINK(\"x\")"],
        ["2", ""],
        ["3", "-5"],
        ["4", "a,\"b\"\nc\t\\d"],
        ["5", "'@sum"],
        ["6", ""],
    ];
    assert_eq!(rows, expected);

    let made = link(
        &running,
        &admin,
        &backup,
        json!({ "format": "csv", "table": "calls" }),
    )
    .await;
    let (_, text) = whole(&running, made["url"].as_str().unwrap()).await;
    assert_eq!(
        csv::Reader::from_reader(&text[..])
            .records()
            .map(Result::unwrap)
            .count(),
        1145
    );

    let path = format!("/api/backups/{backup}/download");
    for (body, status, code) in [
        (json!({ "table": "nowhere" }), 404, "no_such_table"),
        (json!({ "format": "csv" }), 400, "bad_field"),
        (
            json!({ "format": "tar", "table": "calls" }),
            400,
            "bad_field",
        ),
        (json!({ "format": "zip" }), 400, "bad_field"),
        (json!({ "kind": "tar" }), 400, "bad_field"),
        (json!({ "file": "vercel.json" }), 404, "not_found"),
        (json!({ "file": "x", "format": "tar" }), 400, "bad_field"),
    ] {
        let (told, problem) = running
            .call(&admin, "POST", &path, Some(body.clone()))
            .await;
        assert_eq!(
            (told, problem["code"].as_str()),
            (status, Some(code)),
            "{body}"
        );
    }
}
