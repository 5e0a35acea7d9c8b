//! Watching a backup: events, their ids, coming back.

use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

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
        .header("accept", "text/event-stream")
        .timeout(GUARD);
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

/// Far longer than a token lives here and a server believes an expired one; far shorter than a stream lives.
const GUARD: Duration = Duration::from_secs(150);
/// Enough for the first look on a busy machine.
const TOKEN_SECONDS: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_and_goes_on_with_a_new_one() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    // Past the functions, so that nobody works on it and its stream has no other end.
    let request = json!({ "request": { "type": "database" } });
    let asked = running.rpc(&admin, "rovodev_create_backup", request).await;
    let id = asked["id"].as_str().unwrap();
    let path = format!("/api/backups/{id}/restore/status");
    let token = running.expiring(Person::Admin, TOKEN_SECONDS).await;
    let stream = watch(&running, &token, &path, None);
    let told = tokio::time::timeout(GUARD, stream).await;
    let told = told.expect("the stream outlived its token");
    assert_eq!(told.last().unwrap().data["status"], "pending");

    let cancel = format!("/api/backups/{id}/restore");
    assert_eq!(running.call(&admin, "DELETE", &cancel, None).await.0, 202);
    let more = watch(&running, &admin, &path, Some(&told.last().unwrap().id)).await;
    assert_eq!(more.len(), 1, "only what is new");
    assert_eq!(more[0].data["status"], "cancelled");
}

/// Rows grow until taking them lasts long enough to be watched.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_rate_and_time_left_are_told_while_they_move() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let owner = running.owner().await;
    owner
        .batch_execute("CREATE TABLE public.heavy (id bigserial PRIMARY KEY, noise text)")
        .await
        .unwrap();
    let fill = "INSERT INTO public.heavy (noise) SELECT string_agg(md5(random()::text), '') \
             FROM generate_series(1, 400000) n GROUP BY n / 20";
    owner.batch_execute(fill).await.unwrap();
    for _ in 0..6 {
        let body = Some(json!({ "type": "database", "tables": ["heavy"] }));
        let (status, created) = running
            .call(&admin, "POST", "/api/backups/create", body)
            .await;
        assert_eq!(status, 202, "{created}");
        let id = created["id"].as_str().unwrap();
        let path = format!("/api/backups/{id}/restore/status");
        let told = watch(&running, &admin, &path, None).await;
        assert_eq!(told.last().unwrap().data["status"], "completed");
        if moves(&told) {
            return;
        }
        let more = "INSERT INTO public.heavy (noise) SELECT noise FROM public.heavy";
        owner.batch_execute(more).await.unwrap();
    }
    panic!("no stream told bytes, rate and time left");
}

/// Whether bytes grew within a stage, and a rate and the time left were told meanwhile.
fn moves(told: &[Told]) -> bool {
    let rows = |told: &&Told| told.data["progress"]["step"] == "Rows";
    let rows: Vec<&Value> = told
        .iter()
        .filter(rows)
        .map(|t| &t.data["progress"])
        .collect();
    let number = |progress: &Value, field: &str| progress[field].as_u64().unwrap_or(0);
    let bytes: BTreeSet<u64> = rows.iter().map(|p| number(p, "bytes")).collect();
    let any = |field| rows.iter().any(|p| number(p, field) > 0);
    for progress in &rows {
        assert_eq!(progress["current"], progress["bytes"], "{progress}");
        assert!(
            number(progress, "total") >= number(progress, "bytes"),
            "{progress}"
        );
    }
    bytes.len() > 2 && any("bytesPerSecond") && any("secondsLeft")
}
