//! Making and opening stores, listing and finding what is in them.

use super::places;
use super::sample::{Sample, TENANT, opened, rows};
use chrono::{TimeDelta, Utc};
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::{Manifest, Trigger};
use rovodev::error::{Code, Result};
use rovodev::ports::store::{Fault, Op, Rule, S3Settings, Store, Unreliable, When};
use rovodev::tasks::open_store::{self, OpenedStore};
use rovodev::tasks::{Context, backups};
use std::time::Duration;

const KEY: &str = "a long enough passphrase, 32 characters";
const OTHER: &str = "another long enough passphrase, as long";

async fn open(store: &Store, key: Option<&str>, create: bool) -> Result<OpenedStore> {
    open_store::open(&Context::default(), store, key, create).await
}

/// The slow one finds no format, and then the backups that others wrote under theirs meanwhile.
#[tokio::test]
async fn several_make_a_store_at_the_same_moment() {
    let dir = places::directory();
    let stall = Rule::new(When::From(1), Fault::Stall(Duration::from_millis(500)));
    let rules = [stall.on(Op::List, keys::BACKUPS)];
    let slow = Store::Unreliable(Unreliable::new(dir.store.clone(), rules));
    dir.store.create().await.unwrap();
    let others = async {
        let made = open(&dir.store, None, true).await.unwrap();
        let key = keys::started(TENANT, uuid::Uuid::now_v7());
        dir.store.put_new(&key, "{}".into()).await.unwrap();
        made
    };
    let (late, made) = tokio::join!(open(&slow, None, true), others);
    assert_eq!(late.unwrap().format, made.format);
}

#[tokio::test]
async fn a_store_is_made_once_and_opens_with_its_key_alone() {
    for key in [None, Some(KEY)] {
        let dir = places::directory();
        let e = open(&dir.store, key, false).await.err().unwrap();
        assert_eq!(e.code, Code::StoreMissing);
        let made = open(&dir.store, key, true).await.unwrap();
        let again = open(&dir.store, key, true).await.unwrap();
        assert_eq!(made.format, again.format);
        assert_eq!(
            (made.segment_key, made.row_seed),
            (again.segment_key, again.row_seed)
        );
        let wrong = if key.is_some() {
            [None, Some(OTHER)]
        } else {
            [Some(KEY), Some(OTHER)]
        };
        for wrong in wrong {
            let e = open(&dir.store, wrong, true).await.err().unwrap();
            assert_eq!(e.code, Code::StoreKeyMismatch);
            let read = open_store::open_to_read(&Context::default(), &dir.store, wrong).await;
            let read = read.unwrap();
            assert!(read.keys.is_none());
            let told = read.wrong_key.map(|e| e.code);
            assert_eq!(told, wrong.map(|_| Code::StoreKeyMismatch));
        }
        let stored = dir.store.get(keys::FORMAT).await.unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains(KEY));
        assert!(dir.store.head(keys::RECOVERY).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_first_backup_makes_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new/backups");
    let store = Store::open(place.to_str().unwrap(), &S3Settings::default()).unwrap();
    assert_eq!(
        open(&store, None, false).await.err().unwrap().code,
        Code::StoreMissing
    );
    open(&store, None, true).await.unwrap();
}

#[tokio::test]
async fn a_newer_or_lost_format_is_refused() {
    let dir = places::directory();
    let made = opened(&dir.store).await;
    Sample::new("one", vec![]).write(&made).await;
    let text = String::from_utf8(dir.store.get(keys::FORMAT).await.unwrap().into()).unwrap();
    let newer = text.replace("\"formatVersion\": 1", "\"formatVersion\": 7");
    dir.store
        .put_replace(keys::FORMAT, newer.into())
        .await
        .unwrap();
    let e = open(&dir.store, None, true).await.err().unwrap();
    assert_eq!(e.code, Code::FormatTooNew);
    assert!(e.message.contains('7') && e.message.contains('1'), "{e}");
    dir.store.delete(&[keys::FORMAT.to_string()]).await.unwrap();
    assert_eq!(
        open(&dir.store, None, true).await.err().unwrap().code,
        Code::ObjectMissing
    );
}

async fn three(store: &Store) -> (OpenedStore, Vec<Manifest>) {
    let to = opened(store).await;
    let mut made = Vec::new();
    for (name, age) in [("newest", 1), ("older", 2), ("oldest", 3)] {
        let table = (QName::new("public", "t"), vec![rows(age as u64, 3)]);
        let mut sample = Sample::new(name, vec![table]);
        sample.finished_at = Utc::now() - TimeDelta::hours(age);
        made.push(sample.write(&to).await);
    }
    (to, made)
}

#[tokio::test]
async fn backups_are_found_by_what_people_call_them() {
    let dir = places::directory();
    let (to, made) = three(&dir.store).await;
    let mut safety = Sample::new("safety", vec![]);
    safety.trigger = Trigger::Safety;
    let safety = safety.write(&to).await;
    let find = async |what: &str| backups::find(&dir.store, TENANT, what).await;
    assert_eq!(find("latest").await.unwrap(), made[0]);
    assert_eq!(find("older").await.unwrap(), made[1]);
    assert_eq!(find("safety").await.unwrap(), safety);
    let id = made[2].id.to_string();
    assert_eq!(find(&id).await.unwrap(), made[2]);
    assert_eq!(find(&id[..35].to_uppercase()).await.unwrap(), made[2]);
    for unknown in [
        "nope",
        "ffff",
        "lat",
        "00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(
            find(unknown).await.unwrap_err().code,
            Code::BackupNotFound,
            "{unknown}"
        );
    }
    let other = backups::find(&dir.store, "somebody-else", "latest").await;
    assert_eq!(other.unwrap_err().code, Code::BackupNotFound);
}

#[tokio::test]
async fn damaged_backups_are_listed_and_stop_nothing() {
    let dir = places::directory();
    let (_, made) = three(&dir.store).await;
    let key = keys::manifest(TENANT, made[0].id);
    let whole = dir.store.get(&key).await.unwrap();
    dir.store
        .put_replace(&key, whole.slice(..whole.len() - 9))
        .await
        .unwrap();
    let listed = backups::list(&dir.store, TENANT).await.unwrap();
    assert_eq!(listed.len(), 3);
    let damaged: Vec<_> = listed.iter().filter(|l| l.manifest.is_err()).collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].id, made[0].id);
    let e = damaged[0].manifest.as_ref().unwrap_err();
    assert_eq!(e.code, Code::ManifestDamaged);
    assert_eq!(
        backups::find(&dir.store, TENANT, "latest").await.unwrap(),
        made[1]
    );
    let e = backups::find(&dir.store, TENANT, &made[0].id.to_string())
        .await
        .unwrap_err();
    assert!(
        e.code == Code::ManifestDamaged && e.message.contains(&key),
        "{e}"
    );
}
