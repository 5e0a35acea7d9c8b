//! Deletions and exports whose worker dies by SIGKILL at its calls to the store and to the catalog.

use super::killed::{deaths, killed_at, tick};
use super::workplace::Workplace;
use rovodev::core::keys;
use rovodev::ports::store::Store;
use rovodev::tasks::Context;
use rovodev::tasks::check::check;
use rovodev::tasks::jobs::{clean_up, work_off};
use rovodev::tasks::open_store::open_to_read;
use uuid::Uuid;

async fn under(store: &Store, prefix: &str) -> Vec<String> {
    let objects = store.list(prefix).await.unwrap();
    objects.into_iter().map(|o| o.key).collect()
}

/// Rows of its own, so that it alone uses some segments.
async fn a_backup_of_its_own(place: &Workplace) -> Uuid {
    let change = "UPDATE public.calls SET summary = gen_random_uuid() WHERE id IN (SELECT id FROM public.calls LIMIT 50)";
    place.owner.batch_execute(change).await.unwrap();
    let asked = place.ask_for_backup().await;
    tick(place).await;
    asked.id
}

/// The dead one's claim on the store ends with its time; until then the job waits.
pub async fn outlast_the_claim(place: &Workplace, store: &Store) {
    if place.open_jobs().await > 0 {
        let why = "SELECT last_error::text FROM public.rovodev_jobs WHERE state = 'queued'";
        let why = place.text(why).await.unwrap();
        assert!(why.contains("store_busy"), "{why}");
        let claim = keys::PRUNE_LOCK.to_string();
        store.delete(&[claim]).await.unwrap();
        tick(place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_worker_was_killed_is_completed_by_the_next_tick() {
    let place = Workplace::start().await;
    let kept = a_backup_of_its_own(&place).await;
    let (workshop, ctx) = (place.workshop(), Context::default());
    let store = workshop.store();
    for deaths in deaths() {
        let mut killed = 0;
        for death in deaths {
            let gone = a_backup_of_its_own(&place).await;
            place.ask_for_deletion(gone).await;
            let died = killed_at(&place, death).await;
            if died {
                tick(&place).await;
                outlast_the_claim(&place, store).await;
                killed += 1;
            }
            assert_eq!(place.open_jobs().await, 0, "{death:?}");
            assert_eq!(
                place.told(gone, "done").await,
                2,
                "{death:?}: made and deleted"
            );
            let folder = under(store, &keys::backup_dir("default", gone)).await;
            assert_eq!(folder, [""; 0], "{death:?}");
            place.assert_store_and_catalog_agree().await;
            let readable = open_to_read(&ctx, store, None).await.unwrap();
            let report = check(&ctx, &readable, "default", &[kept]).await.unwrap();
            assert!(report.problems.is_empty(), "{death:?}: {report:?}");
            if !died {
                break;
            }
        }
        assert!(killed > 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_worker_was_killed_is_completed_by_the_next_tick() {
    let place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    tick(&place).await;
    let workshop = place.workshop();
    let store = workshop.store();
    let first = place.ask_for_export(backup).await;
    work_off(&workshop, &Context::default()).await.unwrap();
    let whole = store.get(&first.store_key).await.unwrap();
    for deaths in deaths() {
        let mut killed = 0;
        for death in deaths {
            place.revoke_downloads(backup).await;
            let export = place.ask_for_export(backup).await;
            let died = killed_at(&place, death).await;
            if died {
                let row = place.row("rovodev_exports", export.id).await;
                if row["status"] != "completed" {
                    assert!(row["size_bytes"].is_null(), "{death:?}: {row}");
                }
                tick(&place).await;
                killed += 1;
            }
            let row = place.row("rovodev_exports", export.id).await;
            assert_eq!(row["status"], "completed", "{death:?}: {row}");
            assert_eq!(row["size_bytes"], whole.len(), "{death:?}: {row}");
            assert_eq!(place.told(export.id, "done").await, 1, "{death:?}");
            assert!(
                store.get(&export.store_key).await.unwrap() == whole,
                "{death:?}"
            );
            clean_up(&workshop, &Context::default()).await.unwrap();
            assert_eq!(
                under(store, keys::EXPORTS).await,
                [export.store_key],
                "{death:?}"
            );
            if !died {
                break;
            }
        }
        assert!(killed > 1);
    }
}
