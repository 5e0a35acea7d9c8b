//! Watching a backup: events, their ids, coming back.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

struct Told {
    id: String,
    data: Value,
}

fn parse(stream: &str) -> Vec<Told> {
    let blocks = stream.split("\n\n").filter(|b| b.contains("data: "));
    blocks
        .map(|block| {
            let line = |name: &str| block.lines().find_map(|l| l.strip_prefix(name)).unwrap();
            Told {
                id: line("id: ").to_string(),
                data: serde_json::from_str(line("data: ")).unwrap(),
            }
        })
        .collect()
}

async fn watch(running: &Running, token: &str, path: &str, seen: Option<&str>) -> Vec<Told> {
    let mut request = running
        .request("GET", path)
        .bearer_auth(token)
        .header("accept", "text/event-stream");
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    parse(&answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_told_until_its_end_and_not_twice() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let body = Some(json!({ "type": "database" }));
    let (_, created) = running
        .call(&admin, "POST", "/api/backups/create", body)
        .await;
    let path = format!(
        "/api/backups/{}/restore/status",
        created["id"].as_str().unwrap()
    );
    let told = watch(&running, &admin, &path, None).await;
    assert!(told.len() > 1, "a stream of one event tells no progress");
    let last = told.last().unwrap();
    assert_eq!(last.data["status"], "completed");
    for event in &told {
        let progress = &event.data["progress"];
        for field in ["current", "total"] {
            assert!(progress[field].is_u64(), "{progress}");
        }
        assert!(progress["step"].is_string(), "{progress}");
    }
    assert!(told.windows(2).all(|pair| pair[0].id != pair[1].id));

    assert!(
        watch(&running, &admin, &path, Some(&last.id))
            .await
            .is_empty()
    );
    let missed = watch(&running, &admin, &path, Some(&told[0].id)).await;
    assert_eq!(missed.len(), 1, "only what is new");
    assert_eq!(missed[0].id, last.id);
    assert_eq!(
        watch(&running, &admin, &path, Some("made up")).await.len(),
        1
    );
}
