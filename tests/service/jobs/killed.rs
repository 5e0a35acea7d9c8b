//! Workers that die by SIGKILL at each of their calls to the store and to the catalog: this test program, started again.

use super::proxy::Proxy;
use super::workplace::{Workplace, workshop};
use rovodev::config::Settings;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{clean_up, work_off};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

const CALL: &str = "ROVODEV_TEST_KILLED_CALL";
const PAUSE: &str = "ROVODEV_TEST_KILLED_PAUSE";
const REACHED: &str = "the call is reached";
/// Longer than any test: the process waits at its call until it is killed.
const FOREVER: Duration = Duration::from_secs(3600);

/// So long it stands at its call, that it is suspended there and not behind.
const NAP: Duration = Duration::from_secs(3);

/// Where a worker dies.
#[derive(Debug, Clone, Copy)]
pub enum Death {
    /// Before its n-th call to the store.
    AtStore(u64),
    /// Before its n-th call to the catalog that its work waits for.
    BeforeCatalog(u64),
    /// After the catalog did what the n-th call asked for, and before the worker heard of it.
    BehindCatalog(u64),
}

#[test]
#[ignore = "started by the other tests of this file"]
fn child_process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let number = |variable| std::env::var(variable).unwrap().parse().unwrap();
        let (call, pause) = (number(CALL), Duration::from_secs(number(PAUSE)));
        let workshop = workshop(&Settings::load(Path::new("/nonexistent/.env")).unwrap());
        let stop = Rule::new(When::Call(call), Fault::Stall(pause));
        let watched = Unreliable::new(workshop.store().clone(), [stop]);
        let workshop = workshop.with_store(Store::Unreliable(watched.clone()));
        std::thread::spawn(move || {
            while watched.calls() < call {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("{REACHED}");
        });
        work_off(&workshop, &Context::default()).await.unwrap();
        std::process::exit(0);
    });
}

fn worker(place: &Workplace, call: u64, pause: Duration, catalog: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "jobs::killed::child_process",
            "--ignored",
            "--nocapture",
        ])
        .envs(place.variables.iter().cloned())
        .env("SUPABASE_URL", catalog)
        .env(CALL, call.to_string())
        .env(PAUSE, pause.as_secs().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn is_reached(child: &mut Child) -> bool {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains(REACHED) {
            return true;
        }
    }
    false
}

/// A worker that is suspended at its n-th call to the store: it neither works nor says that it lives.
pub async fn asleep_at(place: &Workplace, call: u64) -> Child {
    let mut child = worker(place, call, NAP, &place.project.url());
    assert!(is_reached(&mut child).await, "it never makes {call} calls");
    signal(&child, Signal::STOP);
    child
}

/// It goes on where it was.
pub fn wake(child: &Child) {
    signal(child, Signal::CONT);
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

/// Whether the worker was killed there; else it ended before, having done its work.
pub async fn killed_at(place: &Workplace, death: Death) -> bool {
    let (mut child, reached) = match death {
        Death::AtStore(call) => {
            let mut child = worker(place, call, FOREVER, &place.project.url());
            let reached = is_reached(&mut child).await;
            (child, reached)
        }
        Death::BeforeCatalog(call) | Death::BehindCatalog(call) => {
            let behind = matches!(death, Death::BehindCatalog(_));
            let proxy = Proxy::start(place.project.url(), call, behind).await;
            let mut child = worker(place, u64::MAX, FOREVER, &proxy.url);
            let reached = tokio::select! {
                () = proxy.reached.notified() => true,
                _ = child.wait() => false,
            };
            (child, reached)
        }
    };
    if reached {
        child.start_kill().unwrap();
    }
    let ended: ExitStatus = child.wait().await.unwrap();
    assert_eq!(ended.success(), !reached, "{death:?}: {ended}");
    reached
}

/// A tick of a healthy process once the lease of the dead one has run out.
pub async fn tick(place: &Workplace) {
    place.works_later().await;
    let (workshop, ctx) = (place.workshop(), Context::default());
    clean_up(&workshop, &ctx).await.unwrap();
}

/// Calls all over the work, ever more apart (`tests/engine/killed.rs` takes each in turn), and the first to the catalog.
/// Each list ends where the work ends before its death.
pub fn deaths() -> impl Iterator<Item = Vec<Death>> {
    let store = [1, 2, 4, 7, 11, 16, 22, 29, 37].map(Death::AtStore);
    let before: Vec<Death> = (1..6).map(Death::BeforeCatalog).collect();
    let behind: Vec<Death> = (1..6).map(Death::BehindCatalog).collect();
    [store.to_vec(), before, behind].into_iter()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_worker_was_killed_is_completed_by_the_next_tick() {
    let place = Workplace::start().await;
    for deaths in deaths() {
        let mut killed = 0;
        for death in deaths {
            let asked = place.ask_for_backup().await;
            let died = killed_at(&place, death).await;
            if died {
                tick(&place).await;
                killed += 1;
            }
            let (row, error) = (
                place.row("backups", asked.id).await,
                place.last_error(asked.id).await,
            );
            assert_eq!(row["status"], "completed", "{death:?}: {error:?}");
            assert_eq!(place.told(asked.id, "done").await, 1, "{death:?}");
            place.assert_store_and_catalog_agree().await;
            if !died {
                break;
            }
        }
        assert!(killed > 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_worker_was_killed_is_completed_by_the_next_tick() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    tick(&place).await;
    let before = place.contents().await;
    for deaths in deaths() {
        let mut killed = 0;
        for death in deaths {
            local::demo::damage(&mut place.owner).await.unwrap();
            let asked = place.ask_for_restore(backup).await;
            let died = killed_at(&place, death).await;
            if died {
                tick(&place).await;
                killed += 1;
            }
            restored(
                &mut place,
                asked.operation_id,
                asked.safety_backup_id,
                death,
            )
            .await;
            assert_eq!(place.contents().await, before, "{death:?}");
            if !died {
                break;
            }
        }
        assert!(killed > 1);
    }
}

async fn restored(place: &mut Workplace, operation: Uuid, safety: Option<Uuid>, death: Death) {
    let row = place.row("restore_operations", operation).await;
    let error = place.last_error(operation).await;
    assert_eq!(row["status"], "completed", "{death:?}: {error:?}");
    assert_eq!(place.told(operation, "done").await, 1, "{death:?}");
    let safety = place.row("backups", safety.unwrap()).await;
    assert_eq!(safety["status"], "completed", "{death:?}: {safety}");
    assert_eq!(place.staging().await, 0, "{death:?}");
    place.assert_store_and_catalog_agree().await;
}

/// One that was committed is not undone twice, and told as done.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_whose_worker_was_killed_is_completed_by_the_next_tick() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    tick(&place).await;
    local::demo::damage(&mut place.owner).await.unwrap();
    let damaged = place.contents().await;
    for deaths in deaths().skip(1) {
        let mut killed = 0;
        for death in deaths {
            let restore = place.ask_for_restore(backup).await.operation_id;
            tick(&place).await;
            assert_ne!(place.contents().await, damaged, "{death:?}");
            let undo = place.ask_for_undo(backup, restore).await.operation_id;
            let died = killed_at(&place, death).await;
            if died {
                tick(&place).await;
                killed += 1;
            }
            let row = place.row("restore_operations", undo).await;
            let error = place.last_error(undo).await;
            assert_eq!(row["status"], "completed", "{death:?}: {error:?}");
            assert_eq!(place.told(undo, "done").await, 1, "{death:?}");
            let undone = place.row("restore_operations", restore).await;
            assert!(undone["undone_at"].is_string(), "{death:?}: {undone}");
            assert_eq!(place.contents().await, damaged, "{death:?}");
            if !died {
                break;
            }
        }
        assert!(killed > 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_dies_five_times_fails_with_its_reason_and_the_next_one_works() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    tick(&place).await;
    let before = place.contents().await;
    local::demo::damage(&mut place.owner).await.unwrap();
    let damaged = place.contents().await;
    let asked = place.ask_for_restore(backup).await;
    for attempt in 1..=5 {
        assert!(killed_at(&place, Death::AtStore(4)).await, "{attempt}");
        place.time_passes().await;
    }
    tick(&place).await;
    let row = place.row("restore_operations", asked.operation_id).await;
    assert_eq!(row["status"], "failed", "{row}");
    let reason = row["error_message"].as_str().unwrap();
    assert!(reason.contains("5 attempts"), "{reason}");
    assert_eq!(place.told(asked.operation_id, "failed").await, 1);
    let safety = place.row("backups", asked.safety_backup_id.unwrap()).await;
    assert_ne!(safety["status"], "completed", "{safety}");
    assert_eq!(place.contents().await, damaged);
    assert_eq!((place.staging().await, place.open_jobs().await), (0, 0));
    place.assert_store_and_catalog_agree().await;

    let next = place.ask_for_restore(backup).await;
    tick(&place).await;
    let death = Death::AtStore(0);
    restored(&mut place, next.operation_id, next.safety_backup_id, death).await;
    assert_eq!(place.contents().await, before);
}
