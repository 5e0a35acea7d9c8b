use crate::pg_dump::Database;
use rovodev::core::ident::QName;
use rovodev::core::manifest::{Manifest, Selection};
use rovodev::core::restore_plan::{Choice, Mode, Outcome, Plan};
use rovodev::error::Result;
use rovodev::ports::postgres::{DatabaseUrl, Session};
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Context;
use rovodev::tasks::create::create;
use rovodev::tasks::open_store::{OpenedStore, open};
use rovodev::tasks::restore::{RestoreRequest, database};
use std::path::Path;
use std::process::Command;
use tokio_postgres::types::FromSql;

pub const EVERYTHING: &str = include_str!("everything.sql");
/// The part of `everything.sql` that a Supabase project has before any app.
pub const PLATFORM: &str = "
    CREATE SCHEMA auth;
    CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
    INSERT INTO auth.users SELECT md5(i::text)::uuid, 'u' || i FROM generate_series(1, 3) i;
    ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;";
const ROLES: &str = "DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY '{anon,authenticated}'::text[] LOOP
    BEGIN EXECUTE format('CREATE ROLE %I NOLOGIN', r); EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END; END LOOP; END $$";

/// A database, and a directory store that lives as long.
pub struct Source {
    pub database: Database,
    pub opened: OpenedStore,
    pub folder: tempfile::TempDir,
}

impl Source {
    pub async fn new(sql: &str) -> Source {
        Self::of(Database::create("restoredb_source").await, sql).await
    }

    pub async fn of(database: Database, sql: &str) -> Source {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().to_str().unwrap();
        let store = Store::open(location, &S3Settings::default()).unwrap();
        store.create().await.unwrap();
        let session = database.session().await;
        session.batch("roles", ROLES).await.unwrap();
        session.batch("source", sql).await.unwrap();
        Source {
            database,
            opened: open(&Context::default(), &store, None, true).await.unwrap(),
            folder,
        }
    }

    pub async fn back_up(&self) -> Manifest {
        self.back_up_part(Selection::default()).await
    }

    pub async fn back_up_part(&self, selection: Selection) -> Manifest {
        let mut request = crate::support::request(self.database.url.clone(), Path::new("."));
        request.selection = selection;
        create(&Context::default(), &self.opened, &request)
            .await
            .unwrap()
    }

    /// Of another database, into the same store.
    pub async fn back_up_other(&self, url: &DatabaseUrl) -> Result<Manifest> {
        let request = crate::support::request(url.clone(), Path::new("."));
        create(&Context::default(), &self.opened, &request).await
    }

    pub async fn restore(&self, request: &RestoreRequest) -> Result<Outcome> {
        self.restore_with(&Context::default(), request).await
    }

    pub async fn plan(&self, request: &RestoreRequest) -> Result<Plan> {
        database::plan(&Context::default(), &self.opened.store, request).await
    }

    pub async fn restore_with(&self, ctx: &Context, request: &RestoreRequest) -> Result<Outcome> {
        let plan = database::plan(ctx, &self.opened.store, request).await?;
        database::apply(ctx, &self.opened.store, request, &plan).await
    }
}

pub fn request(backup: &Manifest, target: &DatabaseUrl) -> RestoreRequest {
    RestoreRequest {
        operation: None,
        backup: backup.clone(),
        target: target.clone(),
        source: None,
        mode: Mode::Exact,
        choice: Choice::default(),
        force: false,
        leave_out_orphans: false,
        writers: 2,
        room: None,
        undo_days: 7,
    }
}

/// Everything that pg_dump says of a database, without what differs from run to run.
pub fn dumped(url: &DatabaseUrl, arguments: &[&str]) -> String {
    let program = std::env::var_os("PG_DUMP").unwrap_or("pg_dump".into());
    let mut command = Command::new(program);
    command.args(arguments).envs(url.libpq_environment());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|l| !l.contains("restrict "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first lines in which two texts differ, and the header of `pg_dump` above them.
#[track_caller]
pub fn assert_same(before: &str, after: &str) {
    let mut pairs = before.lines().zip(after.lines()).enumerate();
    let different = pairs.find(|(_, (a, b))| a != b);
    let at = different.map_or(0, |(line, _)| line);
    let headers = before
        .lines()
        .take(at)
        .filter(|l| l.starts_with("-- Name: "));
    assert_eq!(different, None, "first difference, in {:?}", headers.last());
    assert_eq!(before.lines().count(), after.lines().count());
}

pub fn schema(name: &str) -> Selection {
    Selection {
        schemas: vec![name.into()],
        ..Selection::default()
    }
}

pub fn tables(names: &[(&str, &str)]) -> Selection {
    Selection {
        tables: names.iter().map(|(s, n)| QName::new(*s, *n)).collect(),
        ..Selection::default()
    }
}

pub async fn one<T: for<'a> FromSql<'a>>(session: &Session, sql: &str) -> T {
    session.query_one("asking", sql, &[]).await.unwrap().get(0)
}
