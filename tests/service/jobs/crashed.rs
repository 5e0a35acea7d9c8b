//! The server of the app, the catalog and the queue crashes under a job and comes back.

use super::workplace::Workplace;
use local::demo;
use std::time::Duration;

/// Longer than the server needs to come back; a worker that goes on before that meets another moment of the crash.
const PAUSE: Duration = Duration::from_secs(2);

/// Calls to the store at which the worker stands when the server crashes.
const CALLS: [u64; 4] = [2, 5, 8, 12];

/// What becomes of the worker is all the same: it may end with an error, or with the catalog's having none of its words.
async fn crash_under_a_worker(place: &mut Workplace, call: u64) {
    let worker = place.slow_worker(call, PAUSE).await;
    place.database_crashes().await;
    let _ = worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_outlives_a_crash_of_the_database() {
    let mut place = Workplace::start().await;
    for call in CALLS {
        let asked = place.ask_for_backup().await;
        crash_under_a_worker(&mut place, call).await;
        place.works_later().await;
        let row = place.row("backups", asked.id).await;
        let error = place.last_error(asked.id).await;
        assert_eq!(row["status"], "completed", "call {call}: {error:?}");
        assert_eq!(place.told(asked.id, "done").await, 1, "call {call}");
        place.assert_store_and_catalog_agree().await;
    }
    place.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_outlives_a_crash_of_the_database() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works().await;
    let before = place.contents().await;
    for call in CALLS {
        demo::damage(&mut place.owner).await.unwrap();
        let damaged = place.contents().await;
        let asked = place.ask_for_restore(backup).await;
        crash_under_a_worker(&mut place, call).await;
        let now = place.contents().await;
        assert!(
            now == damaged || now == before,
            "call {call}: neither old nor new"
        );
        place.works_later().await;
        let row = place.row("restore_operations", asked.operation_id).await;
        let error = place.last_error(asked.operation_id).await;
        assert_eq!(row["status"], "completed", "call {call}: {error:?}");
        assert_eq!(place.contents().await, before, "call {call}");
        assert_eq!(
            place.told(asked.operation_id, "done").await,
            1,
            "call {call}"
        );
        place.assert_store_and_catalog_agree().await;
    }
    place.nothing_is_left().await;
    assert_eq!(place.staging().await, 0);
}
