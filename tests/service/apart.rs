//! Catalog and app in one project: backups hold nothing of the catalog, and restores touch nothing of it.

use crate::stack::{Person, Running};
use local::{demo, supabase};
use rovodev::core::codec;
use rovodev::core::manifest::{BackupType, Codec, Manifest, Object, Selection, Trigger};
use rovodev::core::restore_plan::{Choice, Mode};
use rovodev::ports::catalog::{ApiKey, As, Catalog, Repeat};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{S3Settings, Store};
use rovodev::ports::web;
use rovodev::tasks::Context;
use rovodev::tasks::create::{self, CreateRequest, create};
use rovodev::tasks::open_store::{self, OpenedStore};
use rovodev::tasks::restore::{RestoreRequest, database, in_place};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// An app that uses queues itself, so that their schema is part of its backups.
const OWN_QUEUE: &str = "SELECT pgmq.create('app_mail'); SELECT pgmq.send('app_mail', '{}'); \
     CREATE FUNCTION public.mail() RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT pgmq.send('app_mail', '{}') $$; \
     COMMENT ON FUNCTION public.mail() IS 'Not the catalog''s: rovodev:catalog stands elsewhere.'";

/// Everything in a database that is named or marked as ours; the app's own comment above is not.
const OURS: &str = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%rovodev%' \
     UNION ALL SELECT relname::text FROM pg_class WHERE relname LIKE '%rovodev%' \
         OR relname IN ('backups', 'restore_operations', 'backup_schedules') \
     UNION ALL SELECT proname::text FROM pg_proc WHERE proname LIKE '%rovodev%' \
     UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE '%rovodev%' \
     UNION ALL SELECT polname::text FROM pg_policy WHERE polname LIKE '%rovodev%' \
     UNION ALL SELECT description FROM pg_description WHERE description LIKE 'rovodev:catalog%' \
     UNION ALL SELECT queue_name::text FROM pgmq.meta WHERE queue_name LIKE '%rovodev%'";

struct Both {
    running: Running,
    owner: Client,
    url: DatabaseUrl,
    opened: OpenedStore,
    _folder: tempfile::TempDir,
}

impl Both {
    async fn start() -> Self {
        let running = Running::start().await;
        let owner = running.owner().await;
        owner.batch_execute(OWN_QUEUE).await.unwrap();
        ask_for_a_backup(&running).await;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), &S3Settings::default()).unwrap();
        let ctx = Context::default();
        let opened = Box::pin(open_store::open(&ctx, &store, None, true))
            .await
            .unwrap();
        let url = DatabaseUrl::parse(&running.stack.postgres.owner_url("postgres")).unwrap();
        Self {
            running,
            owner,
            url,
            opened,
            _folder: folder,
        }
    }

    async fn back_up(&self, selection: Selection) -> Manifest {
        let request = CreateRequest {
            id: None,
            database: Some(self.url.clone()),
            kind: BackupType::Database,
            trigger: Trigger::Manual,
            codec: Codec::Zstd,
            name: None,
            tenant: "default".into(),
            selection,
            project: ".".into(),
            pg_dump: Some(self.running.stack.postgres.binaries().pg_dump()),
            readers: create::READERS,
            yield_after: create::YIELD_AFTER,
        };
        Box::pin(create(&Context::default(), &self.opened, &request))
            .await
            .unwrap()
    }

    async fn stored(&self, object: Option<&Object>) -> String {
        let object = object.unwrap();
        let stored = self.opened.store.get(&object.key).await.unwrap();
        let raw = codec::decompress(Codec::Zstd, &stored, object.raw_bytes).unwrap();
        String::from_utf8(raw.to_vec()).unwrap()
    }

    async fn holds_nothing_of_the_catalog(&self, backup: &Manifest) {
        let schema = &backup.schema;
        for part in [&schema.pre_data, &schema.post_data, &schema.extras] {
            let text = self.stored(part.as_ref()).await;
            let rest = text.replace("rovodev:catalog stands elsewhere", "");
            let found = rest.lines().find(|line| line.contains("rovodev"));
            assert_eq!(found, None);
        }
        let tables = backup.tables.iter().map(|t| t.name.to_string());
        let sequences = backup.sequences.iter().map(|s| s.name.to_string());
        let told = backup.warnings.iter().chain(&backup.left_out);
        let names = tables
            .chain(sequences)
            .chain(told.map(|w| w.message.clone()));
        for name in names {
            assert!(
                !name.contains("rovodev") && name != "public.backups",
                "{name}"
            );
        }
    }

    fn restore(&self, backup: Manifest, target: &str) -> RestoreRequest {
        RestoreRequest {
            operation: None,
            backup,
            target: DatabaseUrl::parse(target).unwrap(),
            source: Some(self.url.clone()),
            mode: Mode::Exact,
            choice: Choice::default(),
            force: false,
            leave_out_orphans: false,
            writers: 2,
            room: None,
            undo_days: 7,
        }
    }

    /// Every row of the catalog and of its queues, and where its sequences stand.
    async fn catalog(&self) -> Vec<String> {
        let parts = "SELECT c.oid::regclass::text, CASE c.relkind WHEN 'S' THEN 'last_value || '' '' || is_called' ELSE 't::text' END \
             FROM pg_class c WHERE c.relkind IN ('r', 'S') \
             AND (c.relnamespace = 'rovodev'::regnamespace OR obj_description(c.oid, 'pg_class') LIKE 'rovodev:catalog%' \
               OR c.relname ~ '^([qa]_)?rovodev_') ORDER BY 1";
        let mut all = Vec::new();
        for row in self.owner.query(parts, &[]).await.unwrap() {
            let (name, text): (String, String) = (row.get(0), row.get(1));
            let sql = format!(
                "SELECT coalesce(string_agg({text}, '|' ORDER BY {text}), '') FROM {name} t"
            );
            let rows: String = self.owner.query_one(&sql, &[]).await.unwrap().get(0);
            all.push(format!("{name}: {rows}"));
        }
        assert!(all.len() > 12, "{all:?}");
        all
    }
}

/// A row, an audit row and a message; nobody works on it.
async fn ask_for_a_backup(running: &Running) {
    let catalog = Catalog::new(
        web::client().unwrap(),
        &running.project.url(),
        ApiKey::new(running.project.keys().publishable.as_str()),
        None,
    );
    let admin = running.sign_in(Person::Admin).await;
    let request = json!({ "request": {} });
    let asked: Value = catalog
        .call(
            As::Person(&admin),
            "rovodev_create_backup",
            &request,
            Repeat::Unsent,
        )
        .await
        .unwrap();
    assert_eq!(asked["outcome"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_the_app_leaves_the_catalog_out() {
    let both = Both::start().await;
    let backup = both.back_up(Selection::default()).await;
    both.holds_nothing_of_the_catalog(&backup).await;
    let schema = Selection {
        schemas: vec!["public".into()],
        ..Selection::default()
    };
    let chosen = both.back_up(schema).await;
    both.holds_nothing_of_the_catalog(&chosen).await;

    let postgres = &both.running.stack.postgres;
    let target = postgres.owner_url("elsewhere");
    supabase::create_database(
        &postgres.url("postgres"),
        &postgres.url("elsewhere"),
        "elsewhere",
    )
    .await
    .unwrap();
    let (ctx, store) = (Context::default(), &both.opened.store);
    let request = both.restore(backup, &target);
    let plan = Box::pin(database::plan(&ctx, store, &request))
        .await
        .unwrap();
    let outcome = Box::pin(database::apply(&ctx, store, &request, &plan))
        .await
        .unwrap();
    assert!(outcome.tables > 5, "{outcome:?}");
    for warning in plan.warnings.iter().chain(&outcome.warnings) {
        assert!(!warning.message.contains("rovodev"), "{warning:?}");
    }
    let restored = supabase::connect(&target).await.unwrap();
    let found = restored.query(OURS, &[]).await.unwrap();
    let found: Vec<String> = found.iter().map(|r| r.get(0)).collect();
    assert_eq!(found, Vec::<String>::new());
    // What the app has of its own came along, and works.
    let mails = "SELECT count(*) FROM public.mail()";
    assert_eq!(
        restored
            .query_one(mails, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_in_place_leaves_the_catalog_alone() {
    let mut both = Both::start().await;
    let app = demo::contents(&mut both.owner).await.unwrap();
    let backup = both.back_up(Selection::default()).await;
    demo::damage(&mut both.owner).await.unwrap();
    // The catalog goes on after the backup was taken.
    ask_for_a_backup(&both.running).await;
    let before = both.catalog().await;
    let (ctx, store) = (Context::default(), &both.opened.store);
    let target = both.running.stack.postgres.owner_url("postgres");
    let request = both.restore(backup, &target);
    let prepared = Box::pin(in_place::prepare(&ctx, store, &request, None))
        .await
        .unwrap();
    let outcome = Box::pin(prepared.apply(&ctx)).await.unwrap();
    assert!(outcome.rows_added + outcome.rows_changed > 0);
    assert_eq!(both.catalog().await, before);
    assert_eq!(demo::contents(&mut both.owner).await.unwrap(), app);
    let undone = in_place::undo(
        &ctx,
        &both.url,
        in_place::UndoRequest::of(outcome.operation),
    );
    Box::pin(undone).await.unwrap();
    assert_eq!(both.catalog().await, before);
}
