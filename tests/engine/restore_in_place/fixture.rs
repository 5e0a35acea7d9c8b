//! A database, a store and backups between them.

use crate::pg_dump::Database;
use rovodev::core::manifest::{Manifest, Scope, Selection};
use rovodev::core::restore_plan::{Choice, Mode, Outcome};
use rovodev::error::Result;
use rovodev::ports::postgres::{DatabaseUrl, Purpose, Session};
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Context;
use rovodev::tasks::create::{CreateRequest, create};
use rovodev::tasks::open_store::{self, OpenedStore};
use rovodev::tasks::restore::{RestoreRequest, in_place};
use std::collections::BTreeMap;
use std::path::Path;

pub struct Fixture {
    pub url: DatabaseUrl,
    database: Option<Database>,
    pub session: Session,
    pub store: OpenedStore,
    pub folder: tempfile::TempDir,
}

/// Sorted texts of all rows, by table.
pub type Contents = BTreeMap<String, Vec<String>>;

impl Fixture {
    pub async fn new(sql: &str) -> Self {
        let database = Database::create("inplace").await;
        let url = database.url.clone();
        Self {
            database: Some(database),
            ..Self::at(url, sql).await
        }
    }

    /// In a database that somebody else drops.
    pub async fn at(url: DatabaseUrl, sql: &str) -> Self {
        let session = Session::connect(&url, Purpose::Write).await.unwrap();
        session.batch("filling the database", sql).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let s3 = S3Settings::default();
        let store = Store::open(folder.path().to_str().unwrap(), &s3).unwrap();
        let store = Box::pin(open_store::open(&Context::default(), &store, None, true))
            .await
            .unwrap();
        Self {
            url,
            database: None,
            session,
            store,
            folder,
        }
    }

    pub async fn run(&self, sql: &str) {
        self.session
            .batch("running a test's statements", sql)
            .await
            .unwrap();
    }

    pub async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, sql: &str) -> T {
        self.session
            .query_one("asking", sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    pub async fn back_up(&self) -> Manifest {
        self.back_up_some(Selection::default()).await
    }

    pub async fn back_up_some(&self, selection: Selection) -> Manifest {
        let request = CreateRequest {
            id: None,
            selection,
            ..crate::support::request(self.url.clone(), Path::new("."))
        };
        Box::pin(create(&Context::default(), &self.store, &request))
            .await
            .unwrap()
    }

    pub fn request(&self, backup: &Manifest, mode: Mode) -> RestoreRequest {
        RestoreRequest {
            operation: None,
            backup: backup.clone(),
            target: self.url.clone(),
            source: None,
            mode,
            choice: Choice::default(),
            force: false,
            leave_out_orphans: false,
            writers: 2,
            room: None,
            undo_days: 7,
        }
    }

    pub async fn prepare(&self, request: &RestoreRequest) -> Result<in_place::Prepared> {
        Box::pin(in_place::prepare(
            &Context::default(),
            &self.store.store,
            request,
            None,
        ))
        .await
    }

    pub async fn restore(&self, backup: &Manifest, mode: Mode) -> Result<Outcome> {
        self.apply(&self.request(backup, mode)).await
    }

    pub async fn apply(&self, request: &RestoreRequest) -> Result<Outcome> {
        let ctx = Context::default();
        let prepared = Box::pin(in_place::prepare(&ctx, &self.store.store, request, None)).await?;
        Box::pin(prepared.apply(&ctx)).await
    }

    pub async fn undo(&self, operation: uuid::Uuid) -> Result<Outcome> {
        in_place::undo(
            &Context::default(),
            &self.url,
            in_place::UndoRequest::of(operation),
        )
        .await
    }

    pub async fn undo_leaving_changed(&self, operation: uuid::Uuid) -> Result<Outcome> {
        let request = in_place::UndoRequest {
            leave_changed: true,
            ..in_place::UndoRequest::of(operation)
        };
        in_place::undo(&Context::default(), &self.url, request).await
    }

    pub async fn another_session(&self) -> Session {
        let url = self.url.clone().even_read_only();
        Session::connect(&url, Purpose::Write).await.unwrap()
    }

    /// Rows of every table of the app.
    pub async fn contents(&self) -> Contents {
        let tables = self
            .session
            .query(
                "listing",
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND (c.relkind = 'r' OR c.relispopulated) \
                 AND n.nspname !~ '^(pg_|information_schema|staging_|undo_)' ORDER BY 1",
                &[],
            )
            .await
            .unwrap();
        let mut contents = Contents::new();
        for table in tables.iter().map(|r| r.get::<_, String>(0)) {
            let sql = format!(
                "SELECT array(SELECT t::text COLLATE \"C\" FROM ONLY {table} t ORDER BY 1)"
            );
            contents.insert(table, self.value(&sql).await);
        }
        contents
    }

    /// Schemas of ours that are there.
    pub async fn own_schemas(&self, prefix: &str) -> Vec<String> {
        let sql = format!(
            "SELECT array(SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '{prefix}%' ORDER BY 1)"
        );
        self.value(&sql).await
    }

    pub async fn drop(self) {
        drop(self.session);
        if let Some(database) = self.database {
            database.drop().await;
        }
    }
}

pub fn scope(column: &str, value: &str) -> Selection {
    let scope = Scope::new(column, value);
    Selection {
        scope: Some(scope),
        ..Selection::default()
    }
}
