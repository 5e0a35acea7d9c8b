//! A project without functions, so that a job waits until the test works on it.

use local::demo_project::DemoProject;
use local::project::Project;
use local::settings::Variables;
use local::stack::Stack;
use local::visitor::{ADMIN, Visitor};
use local::{demo, supabase};
use rovodev::config::{self, Settings};
use rovodev::core::manifest::{BackupType, Codec};
use rovodev::error::Result;
use rovodev::http::MAX_DURATION;
use rovodev::ports::catalog::{ApiKey, Catalog};
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::ports::web;
use rovodev::tasks::Context;
use rovodev::tasks::cataloged::{
    Asked, Asker, CreateAnswer, CreateBackup, DownloadBackup, Export, RestoreAnswer, RestoreBackup,
};
use rovodev::tasks::jobs::{Workshop, clean_up, work_off};
use rovodev::tasks::{backups, cataloged};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

pub struct Workplace {
    pub project: Project,
    pub variables: Variables,
    pub owner: Client,
    superuser: Client,
    asker: Asker,
    stack: Stack,
}

/// What a tick works with, from the environment of a process or of a test.
pub fn workshop(settings: &Settings) -> Workshop {
    let deadline = Instant::now() + MAX_DURATION;
    Workshop::new(settings, catalog(settings), Some(deadline)).unwrap()
}

pub fn catalog(settings: &Settings) -> Catalog {
    let key = |variable| ApiKey::new(settings.require(variable).unwrap());
    Catalog::new(
        web::client().unwrap(),
        settings.require(&config::SUPABASE_URL).unwrap(),
        key(&config::SUPABASE_PUBLISHABLE_KEY),
        Some(key(&config::SUPABASE_SECRET_KEY)),
    )
}

impl Workplace {
    pub async fn start() -> Workplace {
        let DemoProject {
            project,
            variables,
            owner,
            stack,
        } = DemoProject::start(false).await.unwrap();
        let admin = Visitor::sign_in(&project, ADMIN).await.unwrap();
        let superuser = supabase::connect(&stack.postgres.url("postgres"))
            .await
            .unwrap();
        Workplace {
            asker: Asker {
                token: admin.token().to_string(),
                tenant: None,
                door: "api".into(),
                address: None,
            },
            stack,
            project,
            variables,
            owner,
            superuser,
        }
    }

    /// The server of the app, the catalog and the queue crashes, and is there again.
    pub async fn database_crashes(&mut self) {
        let postgres = &mut self.stack.postgres;
        postgres.stop_immediate();
        postgres.restart().await.unwrap();
        let sessions = [postgres.owner_url("postgres"), postgres.url("postgres")];
        let [owner, superuser] = sessions.map(|url| async move { supabase::connect(&url).await });
        (self.owner, self.superuser) = (owner.await.unwrap(), superuser.await.unwrap());
    }

    pub fn settings(&self) -> Settings {
        Settings::of(self.variables.clone())
    }

    pub fn workshop(&self) -> Workshop {
        workshop(&self.settings())
    }

    /// One that stands still for a while at its n-th call to the store, where it is when this returns.
    pub async fn slow_worker(&self, call: u64, pause: Duration) -> JoinHandle<Result<usize>> {
        let stop = Rule::new(When::Call(call), Fault::Stall(pause));
        let watched = Unreliable::new(self.workshop().store().clone(), [stop]);
        let slow = self
            .workshop()
            .with_store(Store::Unreliable(watched.clone()));
        let work = tokio::spawn(async move { work_off(&slow, &Context::default()).await });
        while watched.calls() < call && !work.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(!work.is_finished(), "it never makes {call} calls");
        work
    }

    /// A healthy worker works off what waits; so many jobs.
    pub async fn works(&self) -> usize {
        let done = work_off(&self.workshop(), &Context::default()).await;
        done.unwrap()
    }

    /// Once every lease and every wait has ended.
    pub async fn works_later(&self) -> usize {
        self.time_passes().await;
        self.works().await
    }

    /// Nothing waits, nothing is held, and the next tick finds nothing to do.
    pub async fn nothing_is_left(&self) {
        assert_eq!(self.works_later().await, 0);
        let (workshop, ctx) = (self.workshop(), Context::default());
        clean_up(&workshop, &ctx).await.unwrap();
        assert_eq!(self.open_jobs().await, 0);
        assert_eq!(self.messages().await, 0);
        assert_eq!(self.staging().await, 0);
    }

    pub async fn ask_for_backup(&self) -> CreateAnswer {
        let wanted = CreateBackup {
            kind: BackupType::Database,
            codec: Codec::Zstd,
            name: None,
            schemas: Vec::new(),
            tables: Vec::new(),
        };
        let catalog = catalog(&self.settings());
        done(
            cataloged::create(&catalog, &self.asker, &wanted, None, "")
                .await
                .unwrap(),
        )
    }

    pub async fn ask_for_restore(&self, backup: Uuid) -> RestoreAnswer {
        self.ask_to_restore(backup, None).await
    }

    pub async fn ask_for_undo(&self, backup: Uuid, restore: Uuid) -> RestoreAnswer {
        self.ask_to_restore(backup, Some(restore)).await
    }

    async fn ask_to_restore(&self, backup: Uuid, undo: Option<Uuid>) -> RestoreAnswer {
        let wanted = RestoreBackup {
            components: vec!["database".into()],
            target: "inPlace".into(),
            mode: "exact".into(),
            undo,
            ..RestoreBackup::default()
        };
        let catalog = catalog(&self.settings());
        done(
            cataloged::restore(&catalog, &self.asker, backup, &wanted)
                .await
                .unwrap(),
        )
    }

    pub async fn ask_for_deletion(&self, backup: Uuid) {
        let catalog = catalog(&self.settings());
        let asked = cataloged::delete(&catalog, &self.asker, backup).await;
        done(asked.unwrap());
    }

    /// The whole backup as a file of the store.
    pub async fn ask_for_export(&self, backup: Uuid) -> Export {
        let wanted = DownloadBackup {
            format: "sql.gz".into(),
            table: None,
            file: None,
            export: true,
        };
        let (catalog, secret) = (catalog(&self.settings()), "0".repeat(64));
        let asked = cataloged::download(&catalog, &self.asker, backup, &wanted, &secret, None);
        done(asked.await.unwrap()).export.unwrap()
    }

    pub async fn revoke_downloads(&self, backup: Uuid) {
        let catalog = catalog(&self.settings());
        done(
            cataloged::revoke(&catalog, &self.asker, backup)
                .await
                .unwrap(),
        );
    }

    /// As whoever asks for all else.
    pub async fn cancel(&self, backup: Uuid, operation: Option<Uuid>) -> String {
        let catalog = catalog(&self.settings());
        let asked = cataloged::cancel(&catalog, &self.asker, backup, operation).await;
        serde_json::to_string(&done(asked.unwrap())).unwrap()
    }

    /// As if the time of every lease, and of every wait before another attempt, had passed.
    pub async fn time_passes(&self) {
        // Each in a transaction of its own: what a worker asked for before it was killed may still lock the same two rows.
        for passes in [
            "SELECT pgmq.set_vt(queue, message_id, 0) FROM public.rovodev_jobs WHERE state IN ('queued', 'running')",
            "UPDATE public.rovodev_jobs SET leased_until = now() WHERE state = 'running'",
        ] {
            self.superuser.batch_execute(passes).await.unwrap();
        }
    }

    /// A row of the catalog as JSON.
    pub async fn row(&self, table: &str, id: Uuid) -> Value {
        let query = format!("SELECT to_jsonb(t)::text FROM public.{table} t WHERE id = $1");
        let row = self.superuser.query_one(&query, &[&id]).await.unwrap();
        serde_json::from_str(row.get(0)).unwrap()
    }

    /// The row of a job, with the jobs' own names.
    pub async fn job(&self, id: Uuid) -> Value {
        self.row("rovodev_jobs", id).await
    }

    /// Statements of the superuser, in one session.
    pub async fn run(&self, statements: &str) {
        self.superuser.batch_execute(statements).await.unwrap();
    }

    /// The one text that a query answers.
    pub async fn text(&self, query: &str) -> Option<String> {
        self.superuser.query_one(query, &[]).await.unwrap().get(0)
    }

    pub async fn count(&self, query: &str) -> i64 {
        self.superuser.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Jobs that are not over.
    pub async fn open_jobs(&self) -> i64 {
        let query = "SELECT count(*) FROM public.rovodev_jobs WHERE state IN ('queued', 'running')";
        self.count(query).await
    }

    /// What waits in the queues, visible or not.
    pub async fn messages(&self) -> i64 {
        let query = "SELECT (SELECT count(*) FROM pgmq.q_rovodev_jobs) + \
                     (SELECT count(*) FROM pgmq.q_rovodev_long_jobs)";
        self.count(query).await
    }

    /// All that the audit log says of an object, as text.
    pub async fn audit_of(&self, object: Uuid) -> String {
        let query = "SELECT coalesce(jsonb_agg(to_jsonb(a))::text, '') FROM public.rovodev_audit_log a \
                     WHERE object_id = $1";
        let row = self.superuser.query_one(query, &[&object]).await;
        row.unwrap().get(0)
    }

    /// Why the last attempt at a job failed.
    pub async fn last_error(&self, object: Uuid) -> Option<String> {
        let query = "SELECT last_error::text FROM public.rovodev_jobs WHERE $1 IN (backup_id, operation_id)";
        let row = self.superuser.query_one(query, &[&object]).await;
        row.unwrap().get(0)
    }

    /// How often the audit log says that jobs ended in this way.
    pub async fn told(&self, object: Uuid, outcome: &str) -> i64 {
        let query = "SELECT count(*) FROM public.rovodev_audit_log \
                     WHERE door = 'job' AND object_id::text = $1 AND outcome = $2";
        let object = object.to_string();
        let row = self.superuser.query_one(query, &[&object, &outcome]).await;
        row.unwrap().get(0)
    }

    /// Schemas that a restore left behind.
    pub async fn staging(&self) -> i64 {
        let query = r"SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'staging\_%'";
        self.count(query).await
    }

    /// The rows of the app.
    pub async fn contents(&mut self) -> demo::Contents {
        demo::contents(&mut self.owner).await.unwrap()
    }

    /// Every backup that the store lists is one that the catalog calls completed.
    pub async fn assert_store_and_catalog_agree(&self) {
        let listed = backups::list(self.workshop().store(), "default")
            .await
            .unwrap();
        for backup in listed {
            assert!(backup.manifest.is_ok());
            assert_eq!(self.row("backups", backup.id).await["status"], "completed");
        }
    }
}

fn done<T>(asked: Asked<T>) -> T {
    match asked {
        Asked::Done(answer) => answer,
        Asked::Refused(refusal) => panic!("{refusal:?}"),
    }
}
