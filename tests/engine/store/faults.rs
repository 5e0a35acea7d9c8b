//! What stores say when something is wrong, and what the retries make of it.

use super::places;
use bytes::Bytes;
use rovodev::error::{Code, Error};
use rovodev::ports::store::{Access, Fault, Op, Put, Rule, S3Settings, Store, Unreliable, When};
use std::os::unix::fs::PermissionsExt;

async fn probed(location: &str, settings: &S3Settings) -> Error {
    let store = Store::open(location, settings).unwrap();
    store.probe(Access::Write).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone");
    let e = probed(path.to_str().unwrap(), &S3Settings::default()).await;
    assert_eq!(e.code, Code::StoreMissing);
    assert!(e.message.contains("gone") && e.hint.is_some(), "{e}");
    assert!(!path.exists(), "looking makes nothing");
}

#[tokio::test]
async fn a_read_only_directory_is_told_apart() {
    let dir = places::directory();
    let readonly = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(dir.folder.path(), readonly).unwrap();
    let probed = dir.store.probe(Access::Write).await;
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere; the kernel's own read-only tree stands in.
        let sys = Store::open("/sys", &S3Settings::default()).unwrap();
        let e = sys.probe(Access::Write).await.unwrap_err();
        assert!(matches!(e.code, Code::StoreReadOnly), "{e}");
    } else {
        assert_eq!(probed.unwrap_err().code, Code::StoreReadOnly);
    }
}

#[tokio::test]
async fn s3_failures_have_their_codes() {
    let good = places::in_process();
    let wrong_secret = S3Settings {
        secret_key: Some("wrong".into()),
        ..good.clone()
    };
    let nobody = S3Settings {
        endpoint: Some("http://127.0.0.1:1".into()),
        ..good.clone()
    };
    let bucket = "s3://no-such-bucket/x";
    for (settings, code) in [
        (good, Code::StoreMissing),
        (wrong_secret, Code::StoreAuth),
        (nobody, Code::StoreUnreachable),
    ] {
        let e = probed(bucket, &settings).await;
        assert_eq!(e.code, code, "{e:?}");
        assert!(e.message.contains(bucket) && e.hint.is_some(), "{e:?}");
        let secret = settings.secret_key.clone().unwrap();
        assert!(!format!("{e:?} {settings:?}").contains(&secret), "{e:?}");
    }
}

#[test]
fn odd_places_are_refused() {
    let endpoint = |url: &str| S3Settings {
        endpoint: Some(url.into()),
        ..S3Settings::default()
    };
    for (location, settings, code) in [
        ("", S3Settings::default(), Code::Usage),
        ("s3://", S3Settings::default(), Code::Usage),
        ("s3://bucket/../x", S3Settings::default(), Code::Usage),
        ("ftp://host/x", S3Settings::default(), Code::Usage),
        ("s3://bucket", endpoint("localhost:9000"), Code::Config),
        (
            "s3://bucket",
            endpoint("https://user:pw@host"),
            Code::Config,
        ),
        (
            "s3://bucket",
            S3Settings {
                access_key: Some("only".into()),
                ..S3Settings::default()
            },
            Code::Config,
        ),
    ] {
        assert_eq!(
            Store::open(location, &settings).unwrap_err().code,
            code,
            "{location}"
        );
    }
}

fn unreliable(store: &Store, rules: &[Rule]) -> Unreliable {
    Unreliable::new(store.clone(), rules)
}

#[tokio::test]
async fn a_lost_answer_is_not_taken_for_another_writer() {
    let dir = places::directory();
    let lost = Rule::new(When::Call(1), Fault::LoseAnswer);
    let faulty = Store::Unreliable(unreliable(&dir.store, &[lost]));
    let mine = Bytes::from_static(b"mine");
    assert_eq!(
        faulty.put_new("a", mine.clone()).await.unwrap(),
        Put::Written
    );

    dir.store
        .put_new("b", Bytes::from_static(b"theirs"))
        .await
        .unwrap();
    let failed = Rule::new(When::Call(1), Fault::Fail { retry: true });
    let faulty = Store::Unreliable(unreliable(&dir.store, &[failed]));
    assert_eq!(faulty.put_new("b", mine).await.unwrap(), Put::Existed);
    assert_eq!(dir.store.get("b").await.unwrap(), "theirs");
}

#[tokio::test]
async fn only_what_is_worth_it_is_tried_again() {
    let dir = places::directory();
    for (retry, calls) in [(false, 1), (true, 5)] {
        let faulty = unreliable(
            &dir.store,
            &[Rule::new(When::From(1), Fault::Fail { retry })],
        );
        let e = Store::Unreliable(faulty.clone())
            .get("a")
            .await
            .unwrap_err();
        assert_eq!((e.code, faulty.calls()), (Code::StoreError, calls));
        assert!(e.message.starts_with("reading a in "), "{e}");
    }
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let dir = places::directory();
    let body = Bytes::from_static(b"0123456789");
    let lie = Rule::new(When::From(1), Fault::Lie).on(Op::PutNew, "a");
    let cut = Rule::new(When::From(1), Fault::Truncate).on(Op::Get, "b");
    let flip = Rule::new(When::From(1), Fault::FlipBit).on(Op::Get, "c");
    let faulty = Store::Unreliable(unreliable(&dir.store, &[lie, cut, flip]));
    for key in ["a", "b", "c"] {
        assert_eq!(
            faulty.put_new(key, body.clone()).await.unwrap(),
            Put::Written
        );
    }
    assert_eq!(faulty.head("a").await.unwrap(), None);
    assert_eq!(faulty.get("b").await.unwrap(), "01234");
    assert_eq!(faulty.get("c").await.unwrap(), "0123446789");
}
