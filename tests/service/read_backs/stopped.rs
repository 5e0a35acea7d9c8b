//! Who reads back and stops, or dies, is followed by the next, who goes on or begins anew; who comes late writes nothing.

use crate::jobs::workplace::{Workplace, workshop};
use rovodev::config::Settings;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{read_back_due, work_off};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use uuid::Uuid;

const CALL: &str = "ROVODEV_TEST_READING_CALL";
const REACHED: &str = "the call is reached";
const FOREVER: Duration = Duration::from_secs(3600);

#[test]
#[ignore = "started by the other tests of this file"]
fn child_process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let call = std::env::var(CALL).unwrap().parse().unwrap();
        let workshop = workshop(&Settings::load(Path::new("/nonexistent/.env")).unwrap());
        let stop = Rule::new(When::Call(call), Fault::Stall(FOREVER));
        let watched = Unreliable::new(workshop.store().clone(), [stop]);
        let workshop = workshop.with_store(Store::Unreliable(watched.clone()));
        std::thread::spawn(move || {
            while watched.calls() < call {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("{REACHED}");
        });
        read_back_due(&workshop, None).await.unwrap();
        std::process::exit(0);
    });
}

/// Whether a reader was killed by SIGKILL at its n-th call to the store.
async fn killed_at(place: &Workplace, call: u64) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "read_backs::stopped::child_process",
            "--ignored",
            "--nocapture",
        ])
        .envs(place.variables.iter().cloned())
        .env("SUPABASE_URL", place.project.url())
        .env(CALL, call.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains(REACHED) {
            child.start_kill().unwrap();
            assert!(!child.wait().await.unwrap().success());
            return true;
        }
    }
    assert!(child.wait().await.unwrap().success());
    false
}

async fn backed_up(place: &Workplace) -> Uuid {
    let asked = place.ask_for_backup().await;
    work_off(&place.workshop(), &Context::default())
        .await
        .unwrap();
    asked.id
}

/// The row of what is read back now, or was last.
async fn reading(place: &Workplace, backup: Uuid) -> (Uuid, i32, i64, bool) {
    let sql = "SELECT id, token, objects, ended_at IS NOT NULL FROM public.rovodev_read_backs WHERE backup_id = $1";
    let row = place.owner.query_one(sql, &[&backup]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_was_killed_is_followed_by_the_next() {
    let place = Workplace::start().await;
    for call in [1, 2, 5, 9] {
        let id = backed_up(&place).await;
        assert!(killed_at(&place, call).await, "{call}");
        let (read_back, token, _, ended) = reading(&place, id).await;
        assert!(!ended);
        assert_eq!(
            read_back_due(&place.workshop(), None).await.unwrap(),
            0,
            "it is held"
        );
        place
            .run("UPDATE public.rovodev_read_backs SET leased_until = now() WHERE ended_at IS NULL")
            .await;
        assert_eq!(read_back_due(&place.workshop(), None).await.unwrap(), 1);
        let row = place.row("backups", id).await;
        assert!(
            row["checked_at"].is_string() && row["damage"].is_null(),
            "{row}"
        );
        assert_eq!(row["check_bytes"], row["size_bytes"]);
        // The dead one's last word, had it only been slow.
        let late = "SELECT public.rovodev_note_read_back($1, $2, 'done', 0, '{\"damage\": {\"objects\": 1}}')";
        let counted: bool = place
            .owner
            .query_one(late, &[&read_back, &token])
            .await
            .unwrap()
            .get(0);
        assert!(!counted);
        assert!(place.row("backups", id).await["damage"].is_null());
    }
}

/// A piece at a time, as a worker does between jobs and a function before its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_goes_on_where_it_was() {
    let place = Workplace::start().await;
    let id = backed_up(&place).await;
    let (mut before, mut pieces) = (0, 0);
    loop {
        let workshop = place.workshop();
        let soon = Instant::now() + Duration::from_millis(5);
        let read = read_back_due(&workshop, Some(soon)).await.unwrap();
        let (_, _, objects, ended) = reading(&place, id).await;
        assert!(objects > before || ended, "{objects}");
        (before, pieces) = (objects, pieces + 1);
        if read == 1 {
            assert!(ended);
            break;
        }
    }
    assert!(pieces > 1);
    let row = place.row("backups", id).await;
    assert_eq!(row["check_bytes"], row["size_bytes"], "each object once");
}

/// What was wrong on the way is right when it is read once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flips_on_the_way_is_no_damage() {
    let place = Workplace::start().await;
    for call in [4, 7] {
        let id = backed_up(&place).await;
        let flips = Rule::new(When::Call(call), Fault::FlipBit);
        let store = Unreliable::new(place.workshop().store().clone(), [flips]);
        let workshop = place.workshop().with_store(Store::Unreliable(store));
        assert_eq!(read_back_due(&workshop, None).await.unwrap(), 1);
        let row = place.row("backups", id).await;
        assert!(
            row["checked_at"].is_string() && row["damage"].is_null(),
            "{row}"
        );
    }
}

/// Neither a store that is silent nor a backup that is deleted meanwhile is damage.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_now_is_not_damaged() {
    let place = Workplace::start().await;
    let id = backed_up(&place).await;
    let silent = Rule::new(When::From(1), Fault::Fail { retry: false });
    let store = Unreliable::new(place.workshop().store().clone(), [silent]);
    let workshop = place.workshop().with_store(Store::Unreliable(store));
    read_back_due(&workshop, None).await.unwrap_err();
    let row = place.row("backups", id).await;
    assert!(
        row["checked_at"].is_null() && row["damage"].is_null(),
        "{row}"
    );
    // It is left alone for a minute, and then tried again.
    assert_eq!(read_back_due(&place.workshop(), None).await.unwrap(), 0);
    place
        .run("UPDATE public.rovodev_read_backs SET leased_until = now() WHERE ended_at IS NULL")
        .await;
    let deleted = format!("UPDATE public.backups SET deleted_at = now() WHERE id = '{id}'");
    place.run(&deleted).await;
    assert_eq!(read_back_due(&place.workshop(), None).await.unwrap(), 0);
    assert!(place.row("backups", id).await["checked_at"].is_null());
}
