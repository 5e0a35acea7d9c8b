//! Connections that cannot be had, or lead elsewhere.

use super::proxy::{Answer, address, start, through};
use crate::support::{Source, assert_told, changed};
use rovodev::error::{Code, Error};
use rovodev::ports::postgres::{DatabaseUrl, Purpose, Session};
use std::time::{Duration, Instant};

async fn refused(source: &Source, url: &str) -> Error {
    let url = DatabaseUrl::parse(url).unwrap();
    let error = source
        .back_up(|r| r.database = Some(url))
        .await
        .unwrap_err();
    source.assert_nothing_left(&[]).await;
    error
}

#[tokio::test]
async fn a_wrong_password_or_name() {
    let source = Source::new("").await;
    let wrong = changed(&source.url, |url| {
        url.set_password(Some("wr0ng-p4ss")).unwrap()
    });
    let error = refused(&source, &wrong).await;
    assert_told(
        &error,
        Code::DatabaseAuth,
        &[
            "postgres://postgres:***@127.0.0.1",
            "Check the user and the password",
        ],
    );
    assert!(!format!("{error:?}").contains("wr0ng-p4ss"));
    let unknown = changed(&source.url, |url| url.set_username("nobody").unwrap());
    assert_told(
        &refused(&source, &unknown).await,
        Code::DatabaseAuth,
        &["nobody:***@"],
    );
    let missing = changed(&source.url, |url| url.set_path("no_such_database"));
    assert_told(
        &refused(&source, &missing).await,
        Code::DatabaseMissing,
        &["no_such_database", "at the end of the URL"],
    );
}

#[tokio::test]
async fn nobody_answers() {
    let source = Source::new("").await;
    let unused = local::port::free().unwrap();
    let closed = changed(&source.url, |url| url.set_port(Some(unused)).unwrap());
    let error = refused(&source, &closed).await;
    assert_told(
        &error,
        Code::DatabaseUnreachable,
        &[&unused.to_string(), "refused", "Check host and port"],
    );
    let silent = start(|_| Answer::Silence).await;
    let silent = through(&source.url, silent) + "?connect_timeout=1";
    let begun = Instant::now();
    let error = refused(&source, &silent).await;
    assert_told(
        &error,
        Code::DatabaseUnreachable,
        &["no answer within 1 s", "Check host and port"],
    );
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    let nowhere = changed(&source.url, |url| {
        url.set_host(Some("no-such-host.invalid")).unwrap()
    });
    assert_told(
        &refused(&source, &nowhere).await,
        Code::DatabaseUnreachable,
        &["no-such-host.invalid"],
    );
}

#[tokio::test]
async fn tls_that_the_server_has_not() {
    let source = Source::new("").await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", source.url);
        assert_told(
            &refused(&source, &url).await,
            Code::DatabaseUnreachable,
            &["does not support TLS", "sslmode=disable"],
        );
    }
}

#[tokio::test]
async fn poolers_that_refuse() {
    let source = Source::new("").await;
    let full = start(|_| Answer::Refuse {
        code: "XX000",
        message: "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
    });
    let error = refused(&source, &through(&source.url, full.await)).await;
    assert_told(
        &error,
        Code::PoolExhausted,
        &["MaxClientsInSessionMode", "pool size"],
    );
    assert!(error.retry);
    let unknown = start(|_| Answer::Refuse {
        code: "XX000",
        message: "Tenant or user not found",
    });
    let error = refused(&source, &through(&source.url, unknown.await)).await;
    assert_told(
        &error,
        Code::DatabaseAuth,
        &["Tenant or user not found", "postgres.<project ref>"],
    );
    let error =
        DatabaseUrl::parse(&changed(&source.url, |u| u.set_port(Some(6543)).unwrap())).unwrap_err();
    assert_told(&error, Code::PoolerTransactionMode, &["6543", ":5432/"]);
}

#[tokio::test]
async fn a_pooler_that_is_full_for_a_moment() {
    let source = Source::new("CREATE TABLE t (a int)").await;
    let to = address(&source.url);
    let busy = start(move |n| match n {
        0 | 2 => Answer::Refuse {
            code: "53300",
            message: "sorry, too many clients already",
        },
        _ => Answer::Pass { to, database: None },
    });
    let url = DatabaseUrl::parse(&through(&source.url, busy.await)).unwrap();
    let manifest = source.back_up(|r| r.database = Some(url)).await.unwrap();
    source.assert_nothing_left(&[&manifest]).await;
}

#[tokio::test]
async fn a_pooler_that_leads_to_another_database() {
    let (asked, other) = (
        Source::new("").await,
        Source::new("CREATE TABLE secret (a int)").await,
    );
    let (to, name) = (address(&asked.url), other.database().database().to_string());
    let database = Some(name.clone());
    let first = start(move |_| Answer::Pass {
        to,
        database: database.clone(),
    })
    .await;
    let error = refused(&asked, &through(&asked.url, first)).await;
    assert_told(
        &error,
        Code::DatabaseMismatch,
        &[asked.database().database(), &name, "direct connection"],
    );
    // Only the sessions after the first lead elsewhere.
    let later = start(move |n| Answer::Pass {
        to,
        database: (n > 0).then(|| name.clone()),
    })
    .await;
    let error = refused(&asked, &through(&asked.url, later)).await;
    assert_told(&error, Code::DatabaseMismatch, &["direct connection"]);
}

/// They would end a snapshot that others read from, or a session that waits for its writers.
#[tokio::test]
async fn limits_that_the_database_sets_do_not_hold_for_us() {
    let source = Source::new("").await;
    let limits = "DO $$ DECLARE each text; BEGIN FOR each IN SELECT name FROM pg_settings WHERE name IN
            ('statement_timeout', 'transaction_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout') LOOP
          EXECUTE format('ALTER DATABASE %I SET %I = 300', current_database(), each); END LOOP; END $$";
    source.admin().await.batch_execute(limits).await.unwrap();
    let url = DatabaseUrl::parse(&source.url).unwrap();
    for purpose in [Purpose::Read, Purpose::Write] {
        let session = Session::connect(&url, purpose).await.unwrap();
        let sql = "SELECT array(SELECT name || '=' || setting FROM pg_catalog.pg_settings WHERE name ~ '^(statement|transaction|idle_.*)_timeout$' AND setting = '300')";
        let left: Vec<String> = session.query_one("looking", sql, &[]).await.unwrap().get(0);
        assert_eq!(left, [""; 0]);
    }
}

/// A pooler that lives before a server that hangs: neither end closes, and keepalive is answered.
#[tokio::test]
async fn a_server_that_hangs_behind_a_living_pooler() {
    let source =
        Source::new("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 300000) i")
            .await;
    let to = super::proxy::address(&source.url);
    let freezing = start(move |n| match n {
        0 => Answer::Pass { to, database: None },
        _ => Answer::Freeze {
            to,
            after: 1 << 20,
            of_client: false,
        },
    });
    let url = through(&source.url, freezing.await) + "?silence_timeout=2";
    let begun = Instant::now();
    let error = source
        .back_up(|r| {
            r.database = Some(DatabaseUrl::parse(&url).unwrap());
            r.pg_dump = Some("/no/such".into());
        })
        .await
        .unwrap_err();
    let told = [
        "reading",
        "no word from the database for 2 s",
        "silence_timeout",
    ];
    assert_told(&error, Code::ConnectionLost, &told);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// It is not the database that is silent.
#[tokio::test]
async fn a_slow_store_is_no_silence_of_the_server() {
    use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
    let source = Source::new(
        "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 50000) i",
    )
    .await;
    let stall = Rule::new(When::From(1), Fault::Stall(Duration::from_secs(2)));
    let mut opened = source.opened.clone();
    let stalls = vec![stall.on(Op::PutNew, "segments/")];
    opened.store = Store::Unreliable(Unreliable::new(opened.store, stalls));
    let url = source.url.clone() + "?silence_timeout=1";
    let ctx = Default::default();
    let backup = source.back_up_with(&ctx, &opened, |r| {
        r.database = Some(DatabaseUrl::parse(&url).unwrap());
        r.pg_dump = Some("/no/such".into());
        r.readers = 1;
    });
    source.assert_exact(&backup.await.unwrap()).await;
}
