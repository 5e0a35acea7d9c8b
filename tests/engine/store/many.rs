//! A store of ten thousand backups: what is asked of it does not grow with them.

use super::places;
use super::sample::{Sample, TENANT, opened};
use chrono::{TimeDelta, Utc};
use rovodev::core::keys;
use rovodev::core::manifest::{self, Manifest, SchemaStatus};
use rovodev::ports::store::{Op, Store, Unreliable};
use rovodev::tasks::backups::{self, Wanted};
use rovodev::tasks::status;
use std::path::Path;
use uuid::{NoContext, Timestamp, Uuid};

const BACKUPS: usize = 10_000;

/// Copies of one backup, an hour apart, the newest now. Written beside the store, which flushes every file.
fn copied(folder: &Path, one: &Manifest, change: impl Fn(usize, &mut Manifest)) {
    for age in 0..BACKUPS {
        let begun = Utc::now() - TimeDelta::hours(age as i64);
        let time = Timestamp::from_unix(NoContext, begun.timestamp().unsigned_abs(), 0);
        let mut copy = one.clone();
        (copy.id, copy.name) = (Uuid::new_v7(time), format!("backup_{age}"));
        (copy.started_at, copy.finished_at) = (begun, begun);
        change(age, &mut copy);
        let path = folder.join(keys::manifest(TENANT, copy.id));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, manifest::seal(&copy).unwrap()).unwrap();
    }
}

/// How often a fresh look at the store asked what: folders, lists of objects, objects read, objects looked at.
async fn asked<T>(store: &Store, look: impl AsyncFn(&Store) -> T) -> (T, [u64; 4]) {
    let counting = Unreliable::new(store.clone(), []);
    let answer = look(&Store::Unreliable(counting.clone())).await;
    let asked = [Op::Folders, Op::List, Op::Get, Op::Head].map(|op| counting.calls_of(op));
    (answer, asked)
}

#[tokio::test]
async fn ten_thousand_backups_cost_a_look_at_the_newest() {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let one = Sample::new("real", vec![]).write(&to).await;
    let written = dir.store.list(keys::BACKUPS).await.unwrap();
    let written: Vec<String> = written.into_iter().map(|o| o.key).collect();
    dir.store.delete(&written).await.unwrap();
    // The newest two were killed or are on their way; the third is of a part.
    copied(dir.folder.path(), &one, |age, copy| {
        copy.schema.status = SchemaStatus::Captured;
        if age == 2 {
            copy.selection.schemas = vec!["public".into()];
        }
    });
    let newest = backups::newest_first(&dir.store, TENANT).await.unwrap();
    for id in &newest[..2] {
        let key = keys::manifest(TENANT, *id);
        std::fs::rename(
            dir.folder.path().join(&key),
            dir.folder.path().join(keys::started(TENANT, *id)),
        )
        .unwrap();
    }

    let (listed, calls) = asked(&dir.store, async |s| {
        backups::newest(s, TENANT, 20).await.unwrap()
    })
    .await;
    assert_eq!(
        calls,
        [1, 0, 22, 0],
        "the ids, and a manifest for each that is shown or is none"
    );
    assert_eq!((listed.total, listed.backups.len()), (BACKUPS - 2, 20));
    assert_eq!(
        listed.backups[0].manifest.as_ref().unwrap().name,
        "backup_2"
    );

    for wanted in [Wanted::Database, Wanted::Anything] {
        let (found, calls) = asked(&dir.store, async |s| {
            backups::latest(s, TENANT, wanted).await
        })
        .await;
        assert_eq!(found.unwrap().unwrap().manifest.name, "backup_3");
        assert_eq!((calls[0], calls[1], calls[3]), (1, 0, 0));
        assert!(calls[2] <= 8, "{calls:?}");
    }

    let (found, calls) = asked(&dir.store, async |s| {
        status::look_into(s, "default", None).await.unwrap()
    })
    .await;
    assert_eq!(found.last_backup.unwrap().name, "backup_3");
    assert_eq!((found.backups, found.bytes), (BACKUPS as u64, None));
    assert_eq!(calls[0], 1, "the ids once");
    assert!(calls[1] <= 1, "no list but that of the probe: {calls:?}");
    assert!(calls[2] + calls[3] < 50, "{calls:?}");
}
