//! Which backup is meant by a name, by digits of an id, and by `latest`.

use super::places;
use super::sample::{Sample, TENANT, opened, rows};
use chrono::{TimeDelta, Utc};
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::{Manifest, SchemaStatus, Scope, Selection, Trigger};
use rovodev::error::Code;
use rovodev::ports::store::{Store, Unreliable};
use rovodev::tasks::backups::{self, Found, Wanted};
use rovodev::tasks::open_store::OpenedStore;

/// A backup of some hours ago.
async fn made(to: &OpenedStore, name: &str, age: i64) -> Manifest {
    changed(to, name, age, |_| {}).await
}

async fn changed(
    to: &OpenedStore,
    name: &str,
    age: i64,
    change: impl Fn(&mut Manifest),
) -> Manifest {
    let table = (QName::new("public", "t"), vec![rows(age as u64, 3)]);
    let mut sample = Sample::new(name, vec![table]);
    sample.finished_at = Utc::now() - TimeDelta::hours(age);
    sample.write_changed(to, change).await
}

fn of_one_table(manifest: &mut Manifest) {
    manifest.selection = Selection {
        tables: vec![QName::new("public", "calls")],
        ..Selection::default()
    };
}

fn of_one_tenant(manifest: &mut Manifest) {
    manifest.selection.scope = Some(Scope::new("tenant_id", "1"));
}

async fn latest(store: &Store, wanted: Wanted) -> Found {
    backups::find_for(store, TENANT, "latest", wanted)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_name_goes_before_digits_and_both_ends_of_an_id_count() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let one = made(&to, "one", 3).await;
    let digits = backups::short_id(one.id);
    let find = async |what: &str| backups::find(&dir.store, TENANT, what).await;
    assert_eq!(find(&digits).await.unwrap(), one);
    assert_eq!(find(&digits[..5]).await.unwrap(), one);
    assert_eq!(find(&digits[4..].to_uppercase()).await.unwrap(), one);
    assert_eq!(find(&one.id.to_string()[..18]).await.unwrap(), one);
    assert_eq!(find(&one.id.simple().to_string()).await.unwrap(), one);
    assert_eq!(
        find(&digits[5..]).await.unwrap_err().code,
        Code::BackupNotFound
    );
    // Somebody calls another backup by those very digits.
    let named = made(&to, &digits, 2).await;
    assert_eq!(find(&digits).await.unwrap(), named);
    assert_eq!(find(&one.id.to_string()).await.unwrap(), one);
}

#[tokio::test]
async fn an_ambiguous_name_lists_what_it_fits() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let old = made(&to, "nightly", 3).await;
    let new = changed(&to, "nightly", 2, of_one_table).await;
    let e = backups::find(&dir.store, TENANT, "nightly")
        .await
        .unwrap_err();
    assert_eq!(e.code, Code::Usage);
    for part in [
        "fits 2 backups".to_string(),
        format!(
            "{}  {}",
            backups::short_id(old.id),
            old.finished_at.format("%Y-%m-%d %H:%M:%S UTC")
        ),
        format!("{}  ", backups::short_id(new.id)),
        "full, table public.calls alone".to_string(),
    ] {
        assert!(e.message.contains(&part), "{part} is not in {e}");
    }
    let found = backups::find(&dir.store, TENANT, &backups::short_id(old.id)).await;
    assert_eq!(found.unwrap(), old);
}

#[tokio::test]
async fn latest_is_the_newest_whole_one() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let none = backups::find_for(&dir.store, TENANT, "latest", Wanted::Database).await;
    assert_eq!(none.unwrap_err().code, Code::BackupNotFound);

    let tenant = changed(&to, "tenant", 9, of_one_tenant).await;
    let only = latest(&dir.store, Wanted::Database).await;
    assert_eq!(only.manifest, tenant);
    let note = only.note.unwrap();
    assert!(
        note.contains("tenant_id=1") && note.contains("no backup of the whole"),
        "{note}"
    );

    let whole = made(&to, "whole", 8).await;
    let found = latest(&dir.store, Wanted::Database).await;
    assert_eq!((&found.manifest, found.note), (&whole, None));

    let part = changed(&to, "part", 7, of_one_table).await;
    let files = changed(&to, "files", 6, |m| (m.source, m.tables) = (None, vec![])).await;
    let mut safety = Sample::new("safety", vec![]);
    safety.trigger = Trigger::Safety;
    safety.write(&to).await;
    for wanted in [Wanted::Database, Wanted::Anything, Wanted::Both] {
        let found = latest(&dir.store, wanted).await;
        assert_eq!(found.manifest, whole, "{wanted:?}");
        let note = found.note.unwrap();
        assert!(
            note.contains(&part.name) && note.contains("public.calls"),
            "{note}"
        );
    }
    let found = latest(&dir.store, Wanted::Config).await;
    assert_eq!((&found.manifest, found.note), (&files, None));

    let newest = changed(&to, "newest", 1, |m| m.config.clear()).await;
    let found = latest(&dir.store, Wanted::Database).await;
    assert_eq!((&found.manifest, found.note), (&newest, None));
    assert_eq!(latest(&dir.store, Wanted::Both).await.manifest, whole);
}

#[tokio::test]
async fn a_new_database_gets_the_newest_one_with_definitions() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let with = |status| move |m: &mut Manifest| m.schema.status = status;
    let rows = changed(&to, "old-rows", 9, with(SchemaStatus::Missing)).await;
    let found = latest(&dir.store, Wanted::NewDatabase).await;
    assert_eq!((&found.manifest, found.note), (&rows, None));
    let whole = changed(&to, "whole", 8, with(SchemaStatus::Captured)).await;
    let newest = changed(&to, "rows", 1, with(SchemaStatus::Missing)).await;
    assert_eq!(latest(&dir.store, Wanted::Database).await.manifest, newest);
    for wanted in [Wanted::NewDatabase, Wanted::NewDatabaseAndConfig] {
        let found = latest(&dir.store, wanted).await;
        assert_eq!(found.manifest, whole);
        let note = found.note.unwrap();
        assert!(
            note.contains("\"rows\" holds no table definitions"),
            "{note}"
        );
    }
}

#[tokio::test]
async fn a_list_reads_no_more_than_it_shows() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    for age in 1..=5 {
        made(&to, &format!("b{age}"), age).await;
    }
    let counting = Unreliable::new(dir.store.clone(), []);
    let store = Store::Unreliable(counting.clone());
    let newest = backups::newest(&store, TENANT, 2).await.unwrap();
    assert_eq!(counting.calls(), 3, "a list and two manifests");
    let names = newest
        .backups
        .iter()
        .map(|l| l.manifest.as_ref().unwrap().name.clone());
    assert_eq!(
        (newest.total, names.collect::<Vec<_>>()),
        (5, vec!["b1".to_string(), "b2".into()])
    );
}

#[tokio::test]
async fn a_latest_that_may_not_be_meant_is_in_doubt() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let old = made(&to, "old", 9).await;
    let damaged = made(&to, "damaged", 8).await;
    assert_eq!(latest(&dir.store, Wanted::Database).await.doubt, None);
    let key = keys::manifest(TENANT, damaged.id);
    dir.store.put_replace(&key, "{}".into()).await.unwrap();
    let found = latest(&dir.store, Wanted::Database).await;
    assert_eq!(found.manifest, old);
    let doubt = found.doubt.unwrap();
    assert!(
        doubt.contains("a newer backup cannot be read") && doubt.contains(&damaged.id.to_string()),
        "{doubt}"
    );

    let ahead = changed(&to, "ahead", 1, |m| {
        m.started_at = Utc::now() + TimeDelta::days(300);
        m.finished_at = m.started_at;
    })
    .await;
    let found = latest(&dir.store, Wanted::Database).await;
    assert_eq!(found.manifest, ahead);
    assert!(found.doubt.unwrap().contains("the clock there was ahead"));
}
