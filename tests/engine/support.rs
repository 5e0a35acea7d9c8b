//! A database like a Supabase project's, seen as its owner, who is no superuser; a store; and what came of
//! a backup.

use futures_util::StreamExt;
use rovodev::core::codec;
use rovodev::core::ident::{self, QName};
use rovodev::core::keys;
use rovodev::core::manifest::{BackupType, Codec, Manifest, Selection, Table, Trigger};
use rovodev::core::restore_plan::Outcome;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::{DatabaseUrl, Purpose, Session};
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Context;
use rovodev::tasks::check::check;
use rovodev::tasks::create::{CreateRequest, create};
use rovodev::tasks::open_store::{self, OpenedStore};
use rovodev::tasks::restore::{RestoreRequest, database};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use url::Url;

pub const TENANT: &str = "default";
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Source {
    /// As the owner.
    pub url: String,
    pub admin_url: String,
    pub opened: OpenedStore,
    pub folder: tempfile::TempDir,
}

impl Source {
    /// On the tests' server. `sql` is run by the owner.
    pub async fn new(sql: &str) -> Source {
        let named = |name: &str| {
            std::env::var(name).expect("run the tests by bin/test, which starts the server")
        };
        let (admin, owner) = (
            named("ROVODEV_TEST_SUPERUSER_URL"),
            named("ROVODEV_TEST_OWNER_URL"),
        );
        Self::on(&admin, &owner, sql).await
    }

    /// On a server given by the URLs of its superuser and of its owner.
    pub async fn on(admin: &str, owner: &str, sql: &str) -> Source {
        let name = format!("backup_{}", uuid::Uuid::new_v4().simple());
        let at = |server: &str| changed(server, |url| url.set_path(&name));
        let admin_url = at(admin);
        local::supabase::create_database(admin, &admin_url, &name)
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let source = Source {
            url: at(owner),
            admin_url,
            opened: opened(directory(folder.path())).await,
            folder,
        };
        source.client().await.batch_execute(sql).await.unwrap();
        source
    }

    /// A session of the owner.
    pub async fn client(&self) -> Client {
        local::supabase::connect(&self.url).await.unwrap()
    }

    pub async fn admin(&self) -> Client {
        local::supabase::connect(&self.admin_url).await.unwrap()
    }

    pub fn database(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url).unwrap()
    }

    pub async fn back_up(&self, change: impl FnOnce(&mut CreateRequest)) -> Result<Manifest> {
        self.back_up_with(&Context::default(), &self.opened, change)
            .await
    }

    pub async fn back_up_with(
        &self,
        ctx: &Context,
        opened: &OpenedStore,
        change: impl FnOnce(&mut CreateRequest),
    ) -> Result<Manifest> {
        let mut request = request(self.database(), self.folder.path());
        change(&mut request);
        create(ctx, opened, &request).await
    }

    /// Text of all segments of a table, joined; ids, lengths and row counts are checked on the way.
    pub async fn rows(&self, manifest: &Manifest, table: &Table) -> Vec<u8> {
        let mut all = Vec::new();
        for segment in table.segments() {
            let key = keys::segment(&segment.id, manifest.codec);
            let stored = self.opened.store.get(&key).await.unwrap();
            assert_eq!(stored.len() as u64, segment.stored_bytes, "{key}");
            let raw = codec::decompress(manifest.codec, &stored, segment.raw_bytes).unwrap();
            let id = blake3::keyed_hash(&self.opened.segment_key, &raw).to_hex();
            assert_eq!(id.as_str(), segment.id);
            let lines = raw.iter().filter(|b| **b == b'\n').count();
            assert_eq!(lines as u64, segment.rows, "{key}");
            all.extend(raw);
        }
        all
    }

    /// What the server itself writes of the same columns now, in physical order.
    pub async fn copied(&self, table: &Table) -> Vec<u8> {
        let session = Session::connect(&self.database(), Purpose::Read)
            .await
            .unwrap();
        let columns = ident::list(table.columns.iter().map(|c| c.name.as_str()));
        let sql = format!(
            "COPY (SELECT {columns} FROM ONLY {}) TO STDOUT",
            table.name.sql()
        );
        let rows = session.copy_out("copying", &sql).await.unwrap();
        let rows: Vec<_> = rows.map(|r| r.unwrap()).collect().await;
        rows.concat()
    }

    /// Every table of the backup holds what the server says now.
    pub async fn assert_exact(&self, manifest: &Manifest) {
        for table in &manifest.tables {
            let (kept, told) = (self.rows(manifest, table).await, self.copied(table).await);
            let lines = |text: &[u8]| {
                let text = String::from_utf8_lossy(text).into_owned();
                text.lines().map(String::from).collect::<Vec<_>>()
            };
            let different = lines(&kept)
                .into_iter()
                .zip(lines(&told))
                .find(|(a, b)| a != b);
            assert_eq!(different, None, "{}", table.name);
            assert!(
                kept == told,
                "{}: {} and {} bytes",
                table.name,
                kept.len(),
                told.len()
            );
        }
    }

    /// Nothing half done: no manifest but those named, no claim, no temporary file, no session of ours.
    pub async fn assert_nothing_left(&self, manifests: &[&Manifest]) {
        self.assert_nothing_left_but(manifests.len()).await;
    }

    pub async fn assert_nothing_left_but(&self, manifests: usize) {
        let keys = self.opened.store.list(keys::BACKUPS).await.unwrap();
        let found = |end: &str| keys.iter().filter(|o| o.key.ends_with(end)).count();
        assert_eq!(found("/manifest.json"), manifests);
        assert_eq!(found("/started.json"), 0);
        let files = files(self.folder.path());
        assert!(!files.iter().any(|f| f.contains(".tmp")), "{files:?}");
        self.no_sessions().await;
    }

    /// Waits until the server has no session of ours in this database.
    pub async fn no_sessions(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'rovodev'";
        wait_for(&self.admin().await, sql, 0).await;
    }

    /// The backup and all that it names is sound.
    pub async fn assert_sound(&self) {
        let ctx = Context::default();
        let store = open_store::open_to_read(&ctx, &self.opened.store, None).await;
        let report = check(&ctx, &store.unwrap(), TENANT, &[]).await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    }
}

/// Into another database.
pub async fn restore(store: &Store, request: &RestoreRequest) -> Result<Outcome> {
    let ctx = Context::default();
    let plan = Box::pin(database::plan(&ctx, store, request)).await?;
    Box::pin(database::apply(&ctx, store, request, &plan)).await
}

pub fn request(database: DatabaseUrl, project: &Path) -> CreateRequest {
    CreateRequest {
        id: None,
        database: Some(database),
        kind: BackupType::Database,
        trigger: Trigger::Manual,
        codec: Codec::Zstd,
        name: None,
        tenant: TENANT.into(),
        selection: Selection::default(),
        project: project.into(),
        pg_dump: std::env::var_os("PG_DUMP").map(Into::into),
        readers: 2,
        yield_after: Duration::from_secs(60),
    }
}

pub fn directory(folder: &Path) -> Store {
    Store::open(folder.to_str().unwrap(), &S3Settings::default()).unwrap()
}

pub async fn opened(store: Store) -> OpenedStore {
    open_store::open(&Context::default(), &store, None, true)
        .await
        .unwrap()
}

pub fn table<'a>(manifest: &'a Manifest, name: &str) -> &'a Table {
    let named = |t: &&Table| t.name.name == name;
    manifest
        .tables
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("no table {name}"))
}

pub fn names(manifest: &Manifest) -> Vec<String> {
    manifest.tables.iter().map(|t| t.name.to_string()).collect()
}

pub fn public(name: &str) -> QName {
    QName::new("public", name)
}

pub fn changed(url: &str, change: impl FnOnce(&mut Url)) -> String {
    let mut url = Url::parse(url).unwrap();
    change(&mut url);
    url.into()
}

/// Waits until a query that counts gives `expected`.
pub async fn wait_for(client: &Client, sql: &str, expected: i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let count: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        if count == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{count} and never {expected}: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Names of all files below a folder, from there on.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().to_string();
        match entry.path().is_dir() {
            true => found.extend(files(&entry.path()).iter().map(|f| format!("{name}/{f}"))),
            false => found.push(name),
        }
    }
    found
}

/// A failure is told as it should be: the code, what and where, what to do, and no password.
#[track_caller]
pub fn assert_told(error: &Error, code: Code, parts: &[&str]) {
    let told = format!("{error} | {}", error.hint.clone().unwrap_or_default());
    assert_eq!(error.code, code, "{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
    let all = format!("{error:?}");
    for variable in ["ROVODEV_TEST_SUPERUSER_URL", "ROVODEV_TEST_OWNER_URL"] {
        let url = Url::parse(&std::env::var(variable).unwrap()).unwrap();
        assert!(!all.contains(url.password().unwrap()), "the password shows");
    }
}
