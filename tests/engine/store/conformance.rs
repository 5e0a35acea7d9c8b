//! What every store promises, run over every kind.

use super::places;
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use rovodev::core::stored::Stored;
use rovodev::error::{Code, Error};
use rovodev::ports::store::{Access, Fault, Put, Rule, Store, Unreliable, When};
use std::time::Duration;

#[tokio::test]
async fn a_directory_conforms() {
    let dir = places::directory();
    conforms(&dir.store).await;
    // A folder is no object.
    assert_eq!(dir.store.head("once").await.unwrap(), None);
    let e = dir.store.get("once").await.unwrap_err();
    assert_eq!(e.code, Code::ObjectMissing);
}

#[tokio::test]
async fn a_link_into_s3_serves_one_object_under_a_name() {
    let store = places::s3().await;
    store
        .put_new("a/b", Bytes::from_static(b"what it is"))
        .await
        .unwrap();
    store
        .put_new("a/c", Bytes::from_static(b"another"))
        .await
        .unwrap();
    let lasts = Duration::from_secs(60);
    let url = store
        .link("a/b", "b.tar", "application/x-tar", lasts)
        .await
        .unwrap()
        .unwrap();
    let http = rovodev::ports::web::client().unwrap();
    let answer = http.get(&url).send().await.unwrap();
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"b.tar\""
    );
    assert_eq!(answer.headers()["content-type"], "application/x-tar");
    assert_eq!(answer.bytes().await.unwrap(), "what it is");
    let other = http
        .get(url.replace("/a/b?", "/a/c?"))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 403, "it is signed");
    assert!(store.has_links() && !places::directory().store.has_links());
    let none = places::directory()
        .store
        .link("a/b", "b", "text/plain", lasts)
        .await;
    assert_eq!(none.unwrap(), None);
}

#[tokio::test]
async fn s3_conforms() {
    conforms(&places::s3().await).await;
}

#[tokio::test]
async fn localstack_conforms() {
    if let Some(store) = places::localstack().await {
        conforms(&store).await;
    }
}

#[tokio::test]
async fn an_unreliable_store_with_harmless_faults_conforms() {
    let dir = places::directory();
    let faults = [
        (Fault::Fail { retry: true }, 30),
        (Fault::Stall(Duration::from_millis(1)), 100),
        (Fault::LoseAnswer, 30),
    ];
    let rules: Vec<Rule> = (1..)
        .zip(faults)
        .map(|(seed, (fault, per_mille))| Rule::new(When::Share { seed, per_mille }, fault))
        .collect();
    conforms(&Store::Unreliable(Unreliable::new(dir.store, rules))).await;
}

pub async fn conforms(store: &Store) {
    store.create().await.unwrap();
    store.probe(Access::Read).await.unwrap();
    store.probe(Access::Write).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), []);
    writes_once(store).await;
    knows_what_it_keeps(store).await;
    replaces(store).await;
    streams(store).await;
    any_bytes_come_back(store).await;
    one_of_many_writers_wins(store).await;
    missing_objects(store).await;
    lists_by_prefix(store).await;
    lists_folders(store).await;
    deletes(store).await;
    lists_many(store).await;
    refuses_odd_keys(store).await;
}

async fn writes_once(store: &Store) {
    let first = Bytes::from_static(b"first");
    let second = Bytes::from_static(b"other");
    assert_eq!(
        store.put_new("once/a", first.clone()).await.unwrap(),
        Put::Written
    );
    assert_eq!(
        store.put_new("once/a", second.clone()).await.unwrap(),
        Put::Existed
    );
    assert_eq!(store.get("once/a").await.unwrap(), first);
    assert!(store.holds("once/a", &first).await.unwrap());
    assert!(
        !store.holds("once/a", &second).await.unwrap(),
        "same length, other bytes"
    );
    assert!(!store.holds("once/a", &Bytes::new()).await.unwrap());
    assert!(!store.holds("once/b", &first).await.unwrap());
}

/// With its CRC32 and without, as older manifests have it.
async fn knows_what_it_keeps(store: &Store) {
    let body = Bytes::from_static(b"as it was");
    let altered = Bytes::from_static(b"as it wax");
    let written = Stored::of(&body);
    let older = Stored {
        crc32: None,
        ..written.clone()
    };
    assert!(!store.keeps("kept", &written).await.unwrap());
    for (there, same) in [
        (body.clone(), true),
        (altered, false),
        (body.slice(..5), false),
        (Bytes::new(), false),
        (body, true),
    ] {
        store.put_replace("kept", there.clone()).await.unwrap();
        for told in [&written, &older] {
            assert_eq!(store.keeps("kept", told).await.unwrap(), same, "{there:?}");
        }
    }
}

async fn replaces(store: &Store) {
    for text in ["one", "two", "three"] {
        store
            .put_replace("replaced", Bytes::from(text))
            .await
            .unwrap();
        assert_eq!(store.get("replaced").await.unwrap(), text);
    }
}

/// Of sizes around the border of a part; what breaks off on its way leaves what was there.
async fn streams(store: &Store) {
    const PART: usize = 8 << 20;
    for size in [0, 1, PART, 2 * PART + 1] {
        let body: Vec<Bytes> = vec![7_u8; size]
            .chunks(1_000_000)
            .map(Bytes::copy_from_slice)
            .collect();
        assert_eq!(
            streamed(store, body.clone(), None).await.unwrap(),
            size as u64
        );
        assert_eq!(store.get("streamed").await.unwrap(), body.concat());
        let broken = streamed(store, body, Some(Code::Cancelled))
            .await
            .unwrap_err();
        assert_eq!(broken.code, Code::Cancelled);
        assert_eq!(store.get("streamed").await.unwrap().len(), size);
    }
    store.abandon("streamed").await.unwrap();
}

/// A fault of the store itself ends a stream, which its writer begins anew.
async fn streamed(store: &Store, body: Vec<Bytes>, ends: Option<Code>) -> Result<u64, Error> {
    loop {
        let end = ends.map(|code| Err(Error::new(code, "it broke off")));
        let pieces = body.iter().cloned().map(Ok).chain(end);
        let expected = body.iter().map(|b| b.len() as u64).sum();
        match store
            .put_stream("streamed", stream::iter(pieces).boxed(), expected)
            .await
        {
            Err(e) if e.retry => {}
            done => return done,
        }
    }
}

async fn any_bytes_come_back(store: &Store) {
    let big: Vec<u8> = (0..20_000_003_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for (key, body) in [
        ("bytes/empty", Bytes::new()),
        ("bytes/all", (0..=255_u8).collect()),
        ("bytes/big", Bytes::from(big)),
        ("bytes/a b+c%20ü(1)", Bytes::from_static(b"odd key")),
    ] {
        assert_eq!(
            store.put_new(key, body.clone()).await.unwrap(),
            Put::Written,
            "{key}"
        );
        assert!(store.get(key).await.unwrap() == body, "{key}");
        let info = store.head(key).await.unwrap().unwrap();
        assert_eq!((info.key.as_str(), info.bytes), (key, body.len() as u64));
        let age = Utc::now() - info.modified;
        assert!(age.abs() < TimeDelta::minutes(5), "{age}");
    }
}

async fn one_of_many_writers_wins(store: &Store) {
    let bodies: Vec<Bytes> = (0..8).map(|i| Bytes::from(format!("writer {i}"))).collect();
    let writers = bodies.iter().map(|b| store.put_new("race", b.clone()));
    let puts: Vec<Put> = join_all(writers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let winners: Vec<usize> = (0..8).filter(|&i| puts[i] == Put::Written).collect();
    assert_eq!(winners.len(), 1, "{puts:?}");
    assert_eq!(store.get("race").await.unwrap(), bodies[winners[0]]);
}

async fn missing_objects(store: &Store) {
    let e = store.get("no/such").await.unwrap_err();
    assert_eq!(e.code, Code::ObjectMissing);
    assert!(
        e.message.contains("no/such") && e.message.contains(&store.describe()),
        "{e}"
    );
    assert_eq!(store.head("no/such").await.unwrap(), None);
}

async fn lists_by_prefix(store: &Store) {
    for key in ["list/b", "list/a/1", "list/a/2", "list/ab", "lists"] {
        store.put_new(key, Bytes::from(key)).await.unwrap();
    }
    for (prefix, keys) in [
        ("list/", vec!["list/a/1", "list/a/2", "list/ab", "list/b"]),
        ("list/a", vec!["list/a/1", "list/a/2", "list/ab"]),
        ("list/a/", vec!["list/a/1", "list/a/2"]),
        ("list/a/2", vec!["list/a/2"]),
        ("list/c", vec![]),
        ("nothing/here/", vec![]),
    ] {
        let found = store.list(prefix).await.unwrap();
        assert_eq!(
            found.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(),
            keys,
            "{prefix}"
        );
        assert!(found.iter().all(|o| o.bytes == o.key.len() as u64));
    }
}

/// After `lists_by_prefix`.
async fn lists_folders(store: &Store) {
    for key in ["list/z/deep/er", "list/z/1"] {
        store.put_new(key, Bytes::from(key)).await.unwrap();
    }
    for (prefix, names) in [
        ("list/", vec!["a", "z"]),
        ("list/z/", vec!["deep"]),
        ("list/a/", vec![]),
        ("nothing/here/", vec![]),
    ] {
        assert_eq!(store.folders(prefix).await.unwrap(), names, "{prefix}");
    }
    let top = store.folders("").await.unwrap();
    assert!(
        top.contains(&"list".to_string()) && !top.contains(&"lists".to_string()),
        "{top:?}"
    );
    store
        .delete(&["list/z/deep/er", "list/z/1"].map(String::from))
        .await
        .unwrap();
    assert_eq!(
        store.folders("list/").await.unwrap(),
        ["a"],
        "with its objects a folder goes"
    );
    for wrong in ["list", "../", "/"] {
        assert_eq!(
            store.folders(wrong).await.unwrap_err().code,
            Code::Usage,
            "{wrong}"
        );
    }
}

async fn deletes(store: &Store) {
    let doomed = ["list/a/1", "list/a/2", "no/such/object"].map(String::from);
    store.delete(&doomed).await.unwrap();
    store.delete(&doomed).await.unwrap();
    store.delete(&[]).await.unwrap();
    let left = store.list("list/").await.unwrap();
    assert_eq!(
        left.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(),
        ["list/ab", "list/b"]
    );
    assert_eq!(
        store.put_new("list/a/1", Bytes::new()).await.unwrap(),
        Put::Written
    );
}

/// More than one page of a list and one batch of a delete hold.
async fn lists_many(store: &Store) {
    let names: Vec<String> = (0..1100).map(|i| format!("{i:05}")).collect();
    let keys: Vec<String> = names.iter().map(|n| format!("many/{n}/x")).collect();
    for part in keys.chunks(50) {
        let puts = join_all(
            part.iter()
                .map(|k| store.put_new(k, Bytes::from_static(b"x"))),
        )
        .await;
        assert!(
            puts.iter().all(|p| matches!(p, Ok(Put::Written))),
            "{puts:?}"
        );
    }
    assert_eq!(store.folders("many/").await.unwrap(), names);
    let found = store.list("many/").await.unwrap();
    assert_eq!(found.into_iter().map(|o| o.key).collect::<Vec<_>>(), keys);
    store.delete(&keys).await.unwrap();
    assert_eq!(store.list("many/").await.unwrap(), []);
}

async fn refuses_odd_keys(store: &Store) {
    for key in [
        "../outside",
        "/etc/passwd",
        "a/../../b",
        "",
        "a//b",
        ".tmp/x",
    ] {
        assert_eq!(
            store.put_new(key, Bytes::new()).await.unwrap_err().code,
            Code::Usage
        );
        assert_eq!(store.get(key).await.unwrap_err().code, Code::Usage);
        assert_eq!(
            store.delete(&[key.to_string()]).await.unwrap_err().code,
            Code::Usage
        );
    }
    assert_eq!(store.list("../").await.unwrap_err().code, Code::Usage);
}
