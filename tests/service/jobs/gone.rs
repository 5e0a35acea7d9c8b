//! Rows that go from the catalog while a job works on them: deleted in order, past every rule, and with their tenant.

use super::workplace::Workplace;
use local::demo;
use rovodev::core::keys;
use rovodev::tasks::backups;
use std::time::Duration;
use uuid::Uuid;

/// So long the worker stands still.
const PAUSE: Duration = Duration::from_secs(2);
/// How rows go. `$id` is the backup's or the restore's.
const WAYS: [&str; 3] = [
    "DELETE FROM public.rovodev_jobs WHERE $id IN (backup_id, operation_id); \
     DELETE FROM public.restore_operations WHERE id = $id; DELETE FROM public.backups WHERE id = $id",
    // Nothing that hangs on it is told.
    "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM public.restore_operations WHERE id = $id; \
     DELETE FROM public.backups WHERE id = $id; COMMIT",
    "DELETE FROM public.rovodev_jobs WHERE $id IN (backup_id, operation_id)",
];

async fn is_stored(place: &Workplace, backup: Uuid) -> bool {
    let listed = backups::list(place.workshop().store(), "default").await;
    listed.unwrap().iter().any(|stored| stored.id == backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_row_goes_is_in_no_list() {
    let place = Workplace::start().await;
    for way in WAYS {
        for call in [1, 6, 11] {
            let asked = place.ask_for_backup().await;
            let work = place.slow_worker(call, PAUSE).await;
            place
                .run(&way.replace("$id", &format!("'{}'", asked.id)))
                .await;
            work.await.unwrap().unwrap();
            assert!(!is_stored(&place, asked.id).await, "{way} at {call}");
            place.nothing_is_left().await;
            place.assert_store_and_catalog_agree().await;
        }
    }
}

/// It goes after the last look at it and before its end is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_row_goes_at_the_last_moment_is_taken_out_of_the_store() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let work = place.slow_worker(3, PAUSE).await;
    let id = format!("'{}'", asked.id);
    place
        .run(&format!("BEGIN; {}", WAYS[0].replace("$id", &id)))
        .await;
    let (workshop, manifest) = (place.workshop(), keys::manifest("default", asked.id));
    while workshop.store().head(&manifest).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    place.run("COMMIT").await;
    work.await.unwrap().unwrap();
    assert!(!is_stored(&place, asked.id).await);
    place.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_row_goes_changes_nothing() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works().await;
    for way in WAYS {
        for call in [2, 20, 37] {
            demo::damage(&mut place.owner).await.unwrap();
            let damaged = place.contents().await;
            let asked = place.ask_for_restore(backup).await;
            let work = place.slow_worker(call, PAUSE).await;
            place
                .run(&way.replace("$id", &format!("'{}'", asked.operation_id)))
                .await;
            work.await.unwrap().unwrap();
            assert_eq!(place.contents().await, damaged, "{way} at {call}");
            place.nothing_is_left().await;
            place.assert_store_and_catalog_agree().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_row_goes_while_it_is_deleted_is_deleted() {
    let place = Workplace::start().await;
    for way in WAYS {
        let asked = place.ask_for_backup().await;
        place.works().await;
        place.ask_for_deletion(asked.id).await;
        let work = place.slow_worker(1, PAUSE).await;
        place
            .run(&way.replace("$id", &format!("'{}'", asked.id)))
            .await;
        work.await.unwrap().unwrap();
        assert!(!is_stored(&place, asked.id).await, "{way}");
        place.nothing_is_left().await;
        place.assert_store_and_catalog_agree().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_row_goes_leaves_no_file() {
    let place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works().await;
    let ways = [
        "DELETE FROM public.rovodev_jobs WHERE export_id = $id; DELETE FROM public.rovodev_exports WHERE id = $id",
        "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM public.rovodev_exports WHERE id = $id; COMMIT",
        "DELETE FROM public.rovodev_jobs WHERE export_id = $id",
    ];
    for way in ways {
        for call in [1, 6] {
            let export = place.ask_for_export(backup).await;
            let work = place.slow_worker(call, PAUSE).await;
            place
                .run(&way.replace("$id", &format!("'{}'", export.id)))
                .await;
            work.await.unwrap().unwrap();
            place.nothing_is_left().await;
            let left = place.workshop().store().list(keys::EXPORTS).await.unwrap();
            assert!(left.is_empty(), "{way} at {call}: {left:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_may_leave_and_so_may_the_tenant() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let work = place.slow_worker(3, PAUSE).await;
    place.run("DELETE FROM public.rovodev_members").await;
    work.await.unwrap().unwrap();
    assert_eq!(place.row("backups", asked.id).await["status"], "completed");
    assert!(is_stored(&place, asked.id).await);
    place.run(local::project::TENANTS).await;

    let asked = place.ask_for_backup().await;
    let work = place.slow_worker(3, PAUSE).await;
    the_tenant_goes(&place).await;
    work.await.unwrap().unwrap();
    assert!(!is_stored(&place, asked.id).await);
    place.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_may_leave_while_a_backup_of_it_is_deleted_or_exported() {
    let place = Workplace::start().await;
    for call in [1, 3] {
        let deleted = place.ask_for_backup().await.id;
        place.works().await;
        place.ask_for_deletion(deleted).await;
        let work = place.slow_worker(call, PAUSE).await;
        the_tenant_goes(&place).await;
        work.await.unwrap().unwrap();
        assert!(!is_stored(&place, deleted).await, "call {call}");
        place.nothing_is_left().await;
        place.run(local::project::TENANTS).await;

        let exported = place.ask_for_backup().await.id;
        place.works().await;
        place.ask_for_export(exported).await;
        let work = place.slow_worker(call, PAUSE).await;
        the_tenant_goes(&place).await;
        work.await.unwrap().unwrap();
        let left = place.workshop().store().list(keys::EXPORTS).await.unwrap();
        assert!(left.is_empty(), "call {call}: {left:?}");
        place.nothing_is_left().await;
        place.run(local::project::TENANTS).await;
    }
}

async fn the_tenant_goes(place: &Workplace) {
    let own = "WHERE tenant_id = (SELECT id FROM public.rovodev_tenants WHERE slug = 'default')";
    let tables = [
        "rovodev_jobs",
        "rovodev_exports",
        "restore_operations",
        "backups",
    ];
    for table in tables {
        place
            .run(&format!("DELETE FROM public.{table} {own}"))
            .await;
    }
    place
        .run("DELETE FROM public.rovodev_tenants WHERE slug = 'default'")
        .await;
}
