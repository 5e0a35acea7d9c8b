//! Every job ends: what waits for a worker is told so, can be cancelled, and is ended where none comes; what a cancelled
//! one had stored goes.

use super::workplace::{Workplace, catalog};
use local::visitor::ADMIN;
use rovodev::core::keys;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::jobs::{Workshop, clean_up, work_on};
use rovodev::tasks::{Context, backups};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A function with so much of its time left, whose store hangs from the n-th call on.
fn hanging(place: &Workplace, time: Duration, call: u64) -> Workshop {
    let settings = place.settings();
    let deadline = Instant::now() + time;
    let workshop = Workshop::new(&settings, catalog(&settings), Some(deadline)).unwrap();
    let hangs = Rule::new(When::From(call), Fault::Stall(Duration::from_secs(3600)));
    let store = Unreliable::new(workshop.store().clone(), [hangs]);
    workshop.with_store(Store::Unreliable(store))
}

async fn assert_nothing_stored(place: &Workplace, id: Uuid) {
    let folder = keys::backup_dir("default", id);
    let found = place.workshop().store().list(&folder).await.unwrap();
    assert_eq!(found, [], "of {id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_worker_says_so_and_can_be_cancelled() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let function = hanging(&place, Duration::from_secs(3), 3);
    work_on(function, asked.job_id).await;
    let (row, job) = (
        place.row("backups", asked.id).await,
        place.job(asked.job_id).await,
    );
    assert_eq!(job["queue"], "rovodev_long_jobs", "{job}");
    let notice = row["progress"]["notice"].as_str().unwrap_or_default();
    assert!(notice.contains("rovodev worker"), "{row}");
    let told = place.cancel(asked.id, None).await;
    assert!(told.contains("\"cancelled\""), "{told}");
    let row = place.row("backups", asked.id).await;
    assert_eq!(
        (&row["status"], &row["cancelled_by"]),
        (&"cancelled".into(), &ADMIN.into()),
        "{row}"
    );
    place.works_later().await;
    assert_eq!((place.open_jobs().await, place.messages().await), (0, 0));
    assert_nothing_stored(&place, asked.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_part_of_a_functions_time_goes_on_in_the_next_function() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let function = hanging(&place, Duration::from_secs(4), 3);
    tokio::time::sleep(Duration::from_secs(1)).await;
    work_on(function, asked.job_id).await;
    let job = place.job(asked.job_id).await;
    assert_eq!(
        (&job["queue"], &job["state"]),
        (&"rovodev_jobs".into(), &"queued".into()),
        "{job}"
    );
    place.works_later().await;
    assert_eq!(place.row("backups", asked.id).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_outlast_a_function_is_left_to_a_worker() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    place
        .run("UPDATE public.backups SET estimated_seconds = 4000")
        .await;
    place.works_later().await;
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["status"], "pending", "{row}");
    let notice = row["progress"]["notice"].as_str().unwrap_or_default();
    assert!(notice.contains("rovodev worker"), "{row}");
    let workshop = place.workshop();
    let ctx = Context::default();
    clean_up(&workshop, &ctx).await.unwrap();
    assert_eq!(place.open_jobs().await, 1, "a day is not over");
    place
        .run("UPDATE public.rovodev_jobs SET long_since = now() - interval '25 hours'")
        .await;
    clean_up(&workshop, &ctx).await.unwrap();
    let row = place.row("backups", asked.id).await;
    assert_eq!(
        (&row["status"], &row["error_code"]),
        (&"failed".into(), &"gave_up".into()),
        "{row}"
    );
    let why = row["error_message"].as_str().unwrap();
    assert!(why.contains("rovodev worker"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_began_is_cancelled_at_once() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let told = place.cancel(asked.id, None).await;
    assert!(told.contains("\"cancelled\""), "{told}");
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["cancelled_by"], ADMIN, "{row}");
    assert_eq!((place.open_jobs().await, place.messages().await), (0, 0));
}

/// The safety backup is whole in the store, and the worker dies before the catalog hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_safety_backup_of_a_restore_that_was_given_up_goes() {
    let place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works_later().await;
    for cancelled in [true, false] {
        let asked = place.ask_for_restore(backup).await;
        let safety = asked.safety_backup_id.unwrap();
        // A worker that takes the safety backup and hangs then; the lock of its restore goes with it.
        let mut call = 12;
        loop {
            let function = hanging(&place, Duration::from_secs(3600), call);
            let job = asked.job_id;
            let dying = tokio::spawn(async move { work_on(function, job).await });
            tokio::time::sleep(Duration::from_secs(3)).await;
            dying.abort();
            let _ = dying.await;
            let listed = backups::list(place.workshop().store(), "default").await;
            if listed.unwrap().iter().any(|b| b.id == safety) {
                break;
            }
            call += 4;
            place.time_passes().await;
            place
                .run("UPDATE public.rovodev_jobs SET max_attempts = 100 WHERE kind = 'restore'")
                .await;
        }
        assert_eq!(place.row("backups", safety).await["status"], "pending");
        if cancelled {
            place.cancel(backup, Some(asked.operation_id)).await;
        } else {
            place
                .run("UPDATE public.rovodev_jobs SET max_attempts = token WHERE kind = 'restore' AND state = 'running'")
                .await;
        }
        place.works_later().await;
        let row = place.row("restore_operations", asked.operation_id).await;
        let expected = if cancelled { "cancelled" } else { "failed" };
        assert_eq!(row["status"], expected, "{row}");
        if cancelled {
            assert_eq!(row["cancelled_by"], ADMIN, "{row}");
        }
        assert_eq!(place.row("backups", safety).await["status"], "cancelled");
        place.assert_store_and_catalog_agree().await;
        assert_nothing_stored(&place, safety).await;
        assert_eq!(place.open_jobs().await, 0);
    }
}

/// Another tenant's restore holds the lock of the database.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_another_restore_costs_no_attempt() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    place
        .run("UPDATE public.rovodev_jobs SET max_attempts = 1")
        .await;
    for attempt in 1..=7 {
        place.time_passes().await;
        let catalog = catalog(&place.settings());
        let told = serde_json::json!({ "code": "restore_running", "message": "another restore is running" });
        let taken: serde_json::Value = rpc(
            &catalog,
            "rovodev_take_job",
            serde_json::json!({ "worker": "w", "seconds": 60 }),
        )
        .await;
        assert_eq!(taken["token"], attempt, "{taken}");
        let back = serde_json::json!({ "job_id": asked.job_id, "token": attempt, "seconds": 0, "error": told });
        let _: serde_json::Value = rpc(&catalog, "rovodev_return_job", back).await;
        let row = place.row("backups", asked.id).await;
        assert_eq!(row["progress"]["notice"], "another restore is running");
    }
}

async fn rpc(
    catalog: &rovodev::ports::catalog::Catalog,
    function: &str,
    arguments: serde_json::Value,
) -> serde_json::Value {
    use rovodev::ports::catalog::{As, Repeat};
    let answer = catalog.call(As::Jobs, function, &arguments, Repeat::Unsent);
    answer.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_swept_and_the_audit_log_stays() {
    let place = Workplace::start().await;
    for _ in 0..2 {
        place.ask_for_backup().await;
        place.works_later().await;
    }
    let jobs = "SELECT count(*) FROM public.rovodev_jobs";
    let archive = "SELECT count(*) FROM pgmq.a_rovodev_jobs";
    let audit = "SELECT count(*) FROM public.rovodev_audit_log";
    let logged = place.count(audit).await;
    place
        .run(
            "UPDATE public.rovodev_jobs SET ended_at = now() - interval '31 days' \
             WHERE id = (SELECT id FROM public.rovodev_jobs ORDER BY id LIMIT 1); \
             UPDATE pgmq.a_rovodev_jobs SET archived_at = now() - interval '31 days' \
             WHERE msg_id = (SELECT min(msg_id) FROM pgmq.a_rovodev_jobs)",
        )
        .await;
    let (workshop, ctx) = (place.workshop(), Context::default());
    clean_up(&workshop, &ctx).await.unwrap();
    assert_eq!(
        (place.count(jobs).await, place.count(archive).await),
        (1, 1)
    );
    assert_eq!(place.count(audit).await, logged);
}
