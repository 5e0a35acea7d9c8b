//! Downloads that are made ready beforehand, and links into the store.

use crate::download::{link, whole};
use crate::stack::{CRON_SECRET, Person, Running};
use serde_json::{Value, json};

async fn ask(running: &Running, token: &str, backup: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/backups/{backup}/download");
    running.call(token, "POST", &path, Some(body)).await
}

/// An export that was asked for and completed: its status.
async fn exported(running: &Running, token: &str, backup: &str, body: Value) -> Value {
    let (status, asked) = ask(running, token, backup, body).await;
    assert_eq!(
        (status, &asked["status"]),
        (202, &json!("pending")),
        "{asked}"
    );
    let id = asked["exportId"].as_str().unwrap();
    let path = format!("/api/backups/{backup}/restore/status?export={id}");
    let ended = running.ended(token, &path).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_the_same_file_by_a_link_into_the_store() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let customer = running.sign_in(Person::Customer).await;
    let backup = running.backed_up(&admin, json!({ "type": "full" })).await;
    for wanted in [
        json!({ "format": "tar" }),
        json!({ "format": "sql.gz" }),
        json!({ "table": "calls" }),
    ] {
        let made = link(&running, &admin, &backup, wanted.clone()).await;
        let (streamed, expected) = whole(&running, made["url"].as_str().unwrap()).await;
        let mut wanted = wanted;
        wanted["export"] = json!(true);
        let ended = exported(&running, &admin, &backup, wanted.clone()).await;
        assert_eq!(ended["size"], expected.len(), "{ended}");
        // Asked again, it is there; also by who only wants the file.
        wanted.as_object_mut().unwrap().remove("export");
        let (status, ready) = ask(&running, &admin, &backup, wanted).await;
        assert_eq!(
            (status, &ready["exportId"]),
            (200, &ended["exportId"]),
            "{ready}"
        );
        let (headers, bytes) = whole(&running, ready["url"].as_str().unwrap()).await;
        assert!(
            bytes == expected,
            "{} and {} bytes",
            bytes.len(),
            expected.len()
        );
        for name in ["content-type", "content-disposition"] {
            assert_eq!(headers[name], streamed[name]);
        }
        let id = ended["exportId"].as_str().unwrap();
        let path = format!("/api/backups/{backup}/restore/status?export={id}");
        assert_eq!(running.call(&customer, "GET", &path, None).await.0, 404);
    }
    let done = ("done".to_string(), None);
    assert_eq!(
        running.audited("export").await,
        [done.clone(), done.clone(), done]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_end_by_time_and_by_hand_and_leave_nothing_behind() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let superuser = running.superuser().await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let wanted = json!({ "format": "tar", "export": true });
    for by_hand in [false, true] {
        let ended = exported(&running, &admin, &backup, wanted.clone()).await;
        let (_, ready) = ask(&running, &admin, &backup, wanted.clone()).await;
        let url = ready["url"].as_str().unwrap().to_string();
        whole(&running, &url).await;
        if by_hand {
            let path = format!("/api/backups/{backup}/download");
            assert_eq!(running.call(&admin, "DELETE", &path, None).await.0, 204);
        } else {
            let expire = "UPDATE rovodev_exports SET expires_at = now()";
            superuser.batch_execute(expire).await.unwrap();
            let (status, _) = running
                .call(CRON_SECRET, "GET", "/api/cron/tick", None)
                .await;
            assert_eq!(status, 200);
        }
        gone(&running, &url).await;
        let id = ended["exportId"].as_str().unwrap();
        let path = format!("/api/backups/{backup}/restore/status?export={id}");
        let (_, told) = running.call(&admin, "GET", &path, None).await;
        assert_eq!(told["status"], "expired");
        let (status, fresh) = ask(&running, &admin, &backup, json!({ "format": "tar" })).await;
        assert_eq!(status, 201, "{fresh}");
    }
    let noted = "SELECT count(*) FROM rovodev_exports WHERE dropped_at IS NULL";
    let begun = std::time::Instant::now();
    while superuser
        .query_one(noted, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        assert!(begun.elapsed().as_secs() < 30, "not noted as dropped");
    }
}

/// The store's link leads nowhere once the object was dropped, behind the response.
async fn gone(running: &Running, url: &str) {
    let begun = std::time::Instant::now();
    while running.follow(url).send().await.unwrap().status() != 404 {
        assert!(begun.elapsed().as_secs() < 30, "the export is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_stream_too_long_becomes_an_export() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let made = link(&running, &admin, &backup, json!({})).await;
    let url = made["url"].as_str().unwrap();
    whole(&running, url).await;
    let superuser = running.superuser().await;
    let begun = std::time::Instant::now();
    let noted = "SELECT streamed_bytes > 0 AND streamed_seconds > 0 FROM rovodev_download_links";
    while !superuser
        .query_one(noted, &[])
        .await
        .unwrap()
        .get::<_, bool>(0)
    {
        assert!(
            begun.elapsed().as_secs() < 30,
            "the stream was not measured"
        );
    }
    // A line of ten bytes a second.
    let slow =
        "UPDATE rovodev_download_links SET streamed_bytes = 1000000, streamed_seconds = 100000";
    superuser.batch_execute(slow).await.unwrap();
    let (status, asked) = ask(&running, &admin, &backup, json!({ "format": "tar" })).await;
    assert_eq!(
        (status, &asked["status"]),
        (202, &json!("pending")),
        "{asked}"
    );
    // Two who want the same get the same.
    let (_, again) = ask(&running, &admin, &backup, json!({ "format": "tar" })).await;
    assert_eq!(again["exportId"], asked["exportId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_file_is_had_as_it_is_stored() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let backup = running.backed_up(&admin, json!({ "type": "config" })).await;
    let (status, made) = ask(&running, &admin, &backup, json!({ "file": "vercel.json" })).await;
    assert_eq!(
        (status, &made["fileName"]),
        (200, &json!("vercel.json.zst")),
        "{made}"
    );
    let (headers, packed) = whole(&running, made["url"].as_str().unwrap()).await;
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"vercel.json.zst\""
    );
    let text = zstd::stream::decode_all(&packed[..]).unwrap();
    let own = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/vercel.json")).unwrap();
    assert_eq!(text, own);
    let (status, told) = ask(&running, &admin, &backup, json!({})).await;
    assert_eq!((status, &told["code"]), (409, &json!("no_rows")));
}
