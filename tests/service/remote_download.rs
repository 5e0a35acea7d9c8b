//! `rovodev download` from a deployment.

use crate::download::{link, whole};
use crate::proxy::{Cut, Proxy};
use crate::shell::Shell;
use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn follows(requests: &[String]) -> Vec<&String> {
    let link = |r: &&String| r.starts_with("GET ") && r.contains("/download?link=");
    requests.iter().filter(link).collect()
}

/// The first file that is followed breaks off in the second piece that arrives of it.
fn breaks_once() -> impl Fn(&str, usize) -> Cut + Send + Sync {
    let seen = AtomicUsize::new(0);
    move |request, _| {
        // Asked once for the request itself, and once for each piece.
        let follows = request.contains("/download?link=");
        match follows && seen.fetch_add(1, Ordering::SeqCst) == 2 {
            true => Cut::Middle,
            false => Cut::Nothing,
        }
    }
}

/// The file that the deployment sends to a browser.
async fn sent(running: &Running, token: &str, backup: &str, format: &str) -> Vec<u8> {
    let made = link(running, token, backup, json!({ "format": format })).await;
    whole(running, made["url"].as_str().unwrap()).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_the_deployments_and_outlasts_a_broken_line() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    let wanted = json!({ "type": "full", "name": "app" });
    let backup = running.backed_up(&token, wanted).await;
    let proxy = Proxy::before(&running.project.url(), breaks_once()).await;
    let shell = Shell::afar(&proxy.url(), &token);
    let got = shell
        .run(&["download", "latest", "--format", "tar", "--json"])
        .await;
    assert_eq!(got.code, 0, "{got:?}");
    let expected = sent(&running, &token, &backup, "tar").await;
    assert_eq!(got.json()["bytes"], expected.len(), "{got:?}");
    assert!(shell.bytes("app.tar") == expected);
    let requests = proxy.requests();
    let followed = follows(&requests);
    assert!(
        followed.len() > 1 && followed.iter().any(|r| r.contains("range: bytes=")),
        "{followed:?}"
    );
    for request in followed {
        assert!(!request.contains("authorization"), "{request}");
    }
    let kept = shell.run(&["download", "app", "-o", "app.tar"]).await;
    assert_eq!(kept.code, 5, "an existing file stays: {kept:?}");

    // Of unknown length: begun anew after the first break.
    proxy.now(breaks_once());
    let got = shell.run(&["download", "app", "-o", "app.sql.gz"]).await;
    assert_eq!(got.code, 0, "{got:?}");
    assert!(got.err.contains("broke off; going on"), "{got:?}");
    let expected = sent(&running, &token, &backup, "sql.gz").await;
    assert!(shell.bytes("app.sql.gz") == expected);

    // A line that always breaks leaves no file.
    proxy.now(|request, _| match request.contains("/download?link=") {
        true => Cut::Answer,
        false => Cut::Nothing,
    });
    let broken = shell
        .run(&["download", "app", "-o", "none.tar", "--json"])
        .await;
    assert_eq!(
        (broken.code, &broken.json()["error"]["code"]),
        (6, &json!("service_unreachable")),
        "{broken:?}"
    );
    assert!(!broken.out.contains("link=") && !broken.err.contains("link="));
    assert_eq!(shell.files(), ["app.sql.gz", "app.tar"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_ready_first_is_waited_for_and_comes_from_the_store() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    let wanted = json!({ "type": "database", "name": "app" });
    let backup = running.backed_up(&token, wanted).await;
    let expected = sent(&running, &token, &backup, "sql.zst").await;
    let superuser = running.superuser().await;
    // As if that had gone over a line of ten bytes a second.
    let slow = "UPDATE rovodev_download_links SET streamed_bytes = 1000000, streamed_seconds = 100000 \
                WHERE streamed_bytes > 0";
    let begun = std::time::Instant::now();
    while superuser.execute(slow, &[]).await.unwrap() == 0 {
        assert!(begun.elapsed().as_secs() < 30, "it was not measured");
    }
    let shell = Shell::afar(&running.project.url(), &token);
    let got = shell.run(&["download", "app", "-o", "-"]).await;
    assert_eq!(got.code, 0, "{:?}", got.err);
    assert!(got.bytes == expected);
    assert!(got.err.contains("made ready"), "{}", got.err);
    let refused: Value = Shell::afar(&running.project.url(), &token)
        .run(&["download", "app", "-o", "-", "--json"])
        .await
        .json();
    assert_eq!(refused["error"]["code"], "usage");
}
