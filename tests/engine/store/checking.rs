//! Damage is found, named, and stops nothing else.

use super::places;
use super::sample::{Sample, TENANT, opened, rows};
use bytes::Bytes;
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::{Codec, Manifest, seal};
use rovodev::error::Code;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::check::{CheckReport, check};
use rovodev::tasks::open_store::{self, OpenedStore};
use std::collections::HashSet;

async fn checked(store: &Store) -> CheckReport {
    let ctx = Context::default();
    let store = open_store::open_to_read(&ctx, store, None).await.unwrap();
    check(&ctx, &store, TENANT, &[]).await.unwrap()
}

/// Two backups that share the segment of `public.shared`.
async fn two(to: &OpenedStore, codec: Codec) -> [Manifest; 2] {
    let shared = (QName::new("public", "shared"), vec![rows(1, 10)]);
    let mut one = Sample::new("one", vec![shared.clone()]);
    one.codec = codec;
    let mut two = Sample::new(
        "two",
        vec![
            shared,
            (QName::new("public", "own"), vec![rows(2, 10), rows(3, 9)]),
        ],
    );
    two.codec = codec;
    [one.write(to).await, two.write(to).await]
}

fn segment_key(manifest: &Manifest, table: usize) -> String {
    keys::segment(
        &manifest.tables[table].segments().next().unwrap().id,
        manifest.codec,
    )
}

#[tokio::test]
async fn whole_backups_pass() {
    for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
        let dir = places::directory();
        two(&opened(&dir.store).await, codec).await;
        let report = checked(&dir.store).await;
        assert!(report.is_good() && report.rows_compared, "{report:?}");
        assert_eq!((report.backups, report.objects), (2, 5));
    }
}

#[tokio::test]
async fn damage_is_named_with_what_it_concerns() {
    let dir = places::directory();
    let [one, two] = two(&opened(&dir.store).await, Codec::Zstd).await;
    let shared = segment_key(&one, 0);
    let whole = dir.store.get(&shared).await.unwrap();
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 1;
    let longer = [&whole[..], b"x"].concat();
    for (body, code) in [
        (Some(Bytes::from(flipped)), "object_damaged"),
        (Some(whole.slice(..whole.len() / 2)), "object_damaged"),
        (Some(Bytes::from(longer)), "object_damaged"),
        (Some(Bytes::new()), "object_damaged"),
        (None, "object_missing"),
    ] {
        match body {
            Some(body) => dir.store.put_replace(&shared, body).await.unwrap(),
            None => dir
                .store
                .delete(std::slice::from_ref(&shared))
                .await
                .unwrap(),
        }
        let report = checked(&dir.store).await;
        let [problem] = report.problems.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(
            (problem.key.as_str(), problem.code),
            (shared.as_str(), code)
        );
        assert_eq!(problem.concerns, ["public.shared"]);
        let concerned: HashSet<_> = problem.backups.iter().copied().collect();
        assert_eq!(concerned, HashSet::from([one.id, two.id]));
    }
    dir.store.put_replace(&shared, whole).await.unwrap();
    dir.store
        .delete(&[two.config[0].object.key.clone()])
        .await
        .unwrap();
    let report = checked(&dir.store).await;
    assert_eq!(report.problems[0].concerns, ["vercel.json"]);
    assert_eq!(report.problems[0].backups, [two.id]);
}

/// The manifest itself may be wrong though its hash is right: an engine's error, found with the key.
#[tokio::test]
async fn rows_are_compared_with_the_manifest() {
    let dir = places::directory();
    let [one, _] = two(&opened(&dir.store).await, Codec::Zstd).await;
    let key = keys::manifest(TENANT, one.id);
    let change = |what: fn(&mut rovodev::core::manifest::Segment)| {
        let mut changed = one.clone();
        what(&mut changed.tables[0].ranges[0].segments[0]);
        // Numbers that contradict each other would be refused at once.
        changed.tables[0].rows = changed.tables[0].segments().map(|s| s.rows).sum();
        Bytes::from(seal(&changed).unwrap())
    };
    let flip = |s: &mut rovodev::core::manifest::Segment| s.row_hash_sum = format!("{:032x}", 5);
    for manifest in [change(|s| s.rows += 1), change(flip)] {
        // The other backup tells the truth about the same segment, so this one is checked alone.
        dir.store.put_replace(&key, manifest).await.unwrap();
        let ctx = Context::default();
        let store = open_store::open_to_read(&ctx, &dir.store, None)
            .await
            .unwrap();
        let report = check(&ctx, &store, TENANT, &[one.id]).await.unwrap();
        assert_eq!(report.problems.len(), 1, "{report:?}");
        assert_eq!(report.problems[0].concerns, ["public.shared"]);
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_a_problem_and_the_others_are_checked() {
    let dir = places::directory();
    let [one, _] = two(&opened(&dir.store).await, Codec::Zstd).await;
    let key = keys::manifest(TENANT, one.id);
    let text = String::from_utf8(dir.store.get(&key).await.unwrap().into()).unwrap();
    dir.store
        .put_replace(&key, text.replacen("one", "two", 1).into())
        .await
        .unwrap();
    let report = checked(&dir.store).await;
    assert_eq!((report.backups, report.objects), (1, 4));
    assert_eq!(report.problems[0].code, "manifest_damaged");
    assert_eq!(report.problems[0].backups, [one.id]);
}

#[tokio::test]
async fn a_store_that_fails_is_no_damage() {
    let dir = places::directory();
    two(&opened(&dir.store).await, Codec::Zstd).await;
    let fault = Rule::new(When::From(1), Fault::Fail { retry: false }).on(Op::Get, "segments/");
    let faulty = Store::Unreliable(Unreliable::new(dir.store.clone(), [fault]));
    let ctx = Context::default();
    let store = open_store::open_to_read(&ctx, &faulty, None).await.unwrap();
    let e = check(&ctx, &store, TENANT, &[]).await.unwrap_err();
    assert_eq!(e.code, Code::StoreError);
}

#[tokio::test]
async fn a_cut_or_lying_read_is_found() {
    let dir = places::directory();
    two(&opened(&dir.store).await, Codec::Zstd).await;
    for fault in [Fault::Truncate, Fault::FlipBit] {
        let rule = Rule::new(When::From(1), fault).on(Op::Get, "segments/");
        let faulty = Store::Unreliable(Unreliable::new(dir.store.clone(), [rule]));
        let report = checked(&faulty).await;
        assert_eq!(report.problems.len(), 3, "{report:?}");
    }
}

/// Reading a pipe or a device would never end; a directory in the way is no object.
#[tokio::test]
async fn what_is_no_file_is_damage() {
    let dir = places::directory();
    let opened = opened(&dir.store).await;
    let [one, _] = two(&opened, Codec::Zstd).await;
    let path = dir.folder.path().join(segment_key(&one, 0));
    for (make, code) in [
        ("mkfifo", Code::ObjectDamaged),
        ("mkdir", Code::ObjectMissing),
    ] {
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new(make)
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        let whole = dir.store.get(&segment_key(&one, 0)).await.unwrap_err();
        assert_eq!(whole.code, code, "{make}: {whole}");
        assert!(!checked(&dir.store).await.problems.is_empty(), "{make}");
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        std::fs::write(&path, b"x").unwrap();
    }
}
