//! `pg_dump` against a real server: hostile names, snapshots, cancelling, passwords.

use rovodev::core::ident::{QName, literal, quote};
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, DumpArgs, PgDump, Purpose, Section, Session};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const HOSTILE: [&str; 12] = [
    "plain",
    "Plain",
    "-t$(x)|y?[]\\",
    "a\"b",
    "we*rd",
    "we rd",
    "x.y",
    "p?ain",
    "'; DROP TABLE plain; --",
    "two\nlines",
    "naïve ☃",
    "--schema-only",
];

pub struct Database {
    pub url: DatabaseUrl,
    admin: Session,
    name: String,
}

impl Database {
    /// A new database on the tests' server.
    pub async fn create(prefix: &str) -> Database {
        Self::create_with(prefix, "").await
    }

    /// Its text is whatever bytes were written.
    pub async fn create_without_encoding(prefix: &str) -> Database {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
        Self::create_with(prefix, options).await
    }

    async fn create_with(prefix: &str, options: &str) -> Database {
        let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL")
            .expect("ROVODEV_TEST_SUPERUSER_URL names the server; run the tests by bin/test");
        let server = DatabaseUrl::parse(&server).unwrap();
        let admin = Session::connect(&server, Purpose::Write).await.unwrap();
        let name = format!("{prefix}_{}", uuid::Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {} {options}", quote(&name));
        admin.batch("creating a database", &create).await.unwrap();
        Database {
            url: server.with_database(&name).unwrap(),
            admin,
            name,
        }
    }

    pub async fn run(&self, sql: &str) {
        let session = self.session().await;
        session
            .batch("running a test's statements", sql)
            .await
            .unwrap();
    }

    pub async fn session(&self) -> Session {
        let url = self.url.clone().even_read_only();
        Session::connect(&url, Purpose::Write).await.unwrap()
    }

    /// The same database as another role.
    pub fn url_as(&self, role: &str, password: &str) -> DatabaseUrl {
        let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_username(role).unwrap();
        url.set_password(Some(password)).unwrap();
        url.set_path(&self.name);
        DatabaseUrl::parse(url.as_str()).unwrap()
    }

    /// Drops the database, then a role that owned nothing else.
    pub async fn drop_with_role(self, role: &str) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", quote(&self.name));
        self.admin.batch("dropping a database", &sql).await.unwrap();
        let sql = format!("DROP ROLE {}", quote(role));
        self.admin.batch("dropping a role", &sql).await.unwrap();
    }

    pub async fn drop(self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", quote(&self.name));
        self.admin.batch("dropping a database", &sql).await.unwrap();
    }
}

pub async fn found(session: &Session) -> PgDump {
    let explicit = std::env::var_os("PG_DUMP").map(PathBuf::from);
    PgDump::find(explicit.as_deref(), session.identity.version)
        .await
        .unwrap()
}

async fn definitions(dump: &PgDump, database: &Database, args: DumpArgs) -> String {
    let cancel = CancellationToken::new();
    let bytes = dump
        .dump(&database.url, None, &args, &cancel)
        .await
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_hostile_name_matches_itself_alone() {
    let database = Database::create("names").await;
    let session = database.session().await;
    let dump = found(&session).await;
    let schema = "Sch\"ema.*";
    let tables = HOSTILE.map(|name| QName::new(schema, name));
    let mut sql = format!("CREATE SCHEMA {};", quote(schema));
    for table in &tables {
        sql += &format!("CREATE TABLE {} (id int PRIMARY KEY);", table.sql());
    }
    session.batch("creating tables", &sql).await.unwrap();
    let creates =
        |text: &str, table: &QName| text.contains(&format!("CREATE TABLE {} (", table.sql()));
    for table in &tables {
        let alone = DumpArgs {
            tables: vec![table.clone()],
            ..DumpArgs::default()
        };
        let text = definitions(&dump, &database, alone).await;
        for other in &tables {
            assert_eq!(
                creates(&text, other),
                other == table,
                "{other} when only {table}"
            );
        }
        let without = DumpArgs {
            sections: vec![Section::PreData],
            schemas: vec![schema.into()],
            exclude_tables: vec![table.clone()],
            ..DumpArgs::default()
        };
        let text = definitions(&dump, &database, without).await;
        for other in &tables {
            assert_eq!(
                creates(&text, other),
                other != table,
                "{other} without {table}"
            );
        }
        assert!(!text.contains("PRIMARY KEY"), "post-data in pre-data");
    }
    let without = DumpArgs {
        exclude_schemas: vec![schema.into()],
        ..DumpArgs::default()
    };
    let text = definitions(&dump, &database, without).await;
    assert!(
        !text.contains("CREATE TABLE") && !text.contains("CREATE SCHEMA \"Sch"),
        "{text}"
    );
    database.drop().await;
}

#[tokio::test]
async fn a_chosen_table_that_is_not_there_is_an_error() {
    let database = Database::create("missing").await;
    let dump = found(&database.session().await).await;
    let args = DumpArgs {
        tables: vec![QName::new("public", "nobody")],
        ..DumpArgs::default()
    };
    let cancel = CancellationToken::new();
    let error = dump
        .dump(&database.url, None, &args, &cancel)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::PgDumpFailed);
    assert!(error.to_string().contains("nobody"), "{error}");
    database.drop().await;
}

#[tokio::test]
async fn reads_in_the_given_snapshot() {
    let database = Database::create("snapshot").await;
    let (holder, writer) = (database.session().await, database.session().await);
    writer
        .batch("creating", "CREATE TABLE before (id int)")
        .await
        .unwrap();
    holder
        .batch("beginning", "BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    let row = holder
        .query_one("exporting", "SELECT pg_export_snapshot()", &[])
        .await
        .unwrap();
    let snapshot: String = row.get(0);
    writer
        .batch("creating", "CREATE TABLE after (id int)")
        .await
        .unwrap();
    let dump = found(&holder).await;
    let cancel = CancellationToken::new();
    let bytes = dump
        .dump(
            &database.url,
            Some(&snapshot),
            &DumpArgs::default(),
            &cancel,
        )
        .await
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.contains("CREATE TABLE \"public\".\"before\""),
        "{text}"
    );
    assert!(!text.contains("\"after\""), "{text}");
    database.drop().await;
}

#[tokio::test]
async fn cancelling_frees_the_server_while_the_lock_is_still_held() {
    let database = Database::create("cancel").await;
    let (holder, watcher) = (database.session().await, database.session().await);
    holder
        .batch("creating", "CREATE TABLE busy (id int)")
        .await
        .unwrap();
    let lock = "BEGIN; LOCK TABLE busy IN ACCESS EXCLUSIVE MODE";
    holder.batch("locking", lock).await.unwrap();
    let dump = found(&holder).await;
    let cancel = CancellationToken::new();
    let args = DumpArgs::default();
    let dumping = dump.dump(&database.url, None, &args, &cancel);
    let cancelling = async {
        wait_for_waiters(&watcher, 1).await;
        cancel.cancel();
    };
    let (dumped, ()) = tokio::join!(dumping, cancelling);
    assert_eq!(dumped.unwrap_err().code, Code::Cancelled);
    wait_for_waiters(&watcher, 0).await;
    database.drop().await;
}

async fn wait_for_waiters(watcher: &Session, expected: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(8);
    loop {
        let row = watcher.query_one("watching", sql, &[]).await.unwrap();
        if row.get::<_, i64>(0) == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "never {expected} waiting sessions"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let database = Database::create("password").await;
    let session = database.session().await;
    let role = format!("r_{}", uuid::Uuid::new_v4().simple());
    let create = format!(
        "CREATE ROLE {} LOGIN PASSWORD {}",
        quote(&role),
        literal("right")
    );
    session.batch("creating a role", &create).await.unwrap();
    let port = session
        .query_one("asking", "SELECT current_setting('port')", &[])
        .await
        .unwrap();
    let port: String = port.get(0);
    let text = format!("postgres://{role}:wr0ng@127.0.0.1:{port}/no_such_database_wr0ng");
    let url = DatabaseUrl::parse(&text).unwrap();
    let cancel = CancellationToken::new();
    let dump = found(&session).await;
    let error = dump
        .dump(&url, None, &DumpArgs::default(), &cancel)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::PgDumpFailed);
    assert!(!format!("{error:?}").contains("wr0ng@"), "{error:?}");
    let remove = format!("DROP ROLE {}", quote(&role));
    session.batch("dropping a role", &remove).await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn says_why_no_pg_dump_serves() {
    let too_old = PgDump::find(None, 990_000).await.unwrap_err();
    assert!(
        too_old.reason.contains("older than the server's 99"),
        "{too_old}"
    );
    let nothing = PgDump::find(Some(Path::new("/no/such/pg_dump")), 150_000)
        .await
        .unwrap_err();
    assert!(
        nothing.reason.contains("there is no such file"),
        "{nothing}"
    );
    let other = PgDump::find(Some(Path::new("/bin/cat")), 150_000)
        .await
        .unwrap_err();
    assert!(other.reason.contains("/bin/cat"), "{other}");
}
