//! Who works on jobs in the simulated year: takes them from the real queue, writes small backups, deletes for real, and dies.

use super::sample::{self, Sample, TENANT};
use crate::luck::Luck;
use crate::stack::Running;
use chrono::{DateTime, Utc};
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::seal;
use rovodev::error::Code;
use rovodev::ports::store::{Fault, Rule, S3Settings, Store, Unreliable, When};
use rovodev::tasks::delete::{delete, withdraw};
use rovodev::tasks::open_store::OpenedStore;
use rovodev::tasks::{Clock, Context, backups};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio_postgres::Client;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Held {
    id: Uuid,
    token: i32,
    pub kind: String,
    /// The backup.
    pub subject: Uuid,
}

pub struct Works {
    clients: [Client; 2],
    store: OpenedStore,
    _folder: TempDir,
    clock: Arc<Mutex<DateTime<Utc>>>,
    /// Holders that died, and may speak again.
    dead: Vec<Held>,
    under_lease: usize,
    /// Attempts that ended without an end, by backup.
    deaths: BTreeMap<Uuid, usize>,
    written: u64,
    deleted: usize,
}

impl Works {
    pub async fn new(running: &Running) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(
            folder.path().join("store").to_str().unwrap(),
            &S3Settings::default(),
        )
        .unwrap();
        Self {
            clients: [running.superuser().await, running.superuser().await],
            store: sample::opened(&store).await,
            _folder: folder,
            clock: Arc::new(Mutex::new(Utc::now())),
            dead: Vec::new(),
            under_lease: 0,
            deaths: BTreeMap::new(),
            written: 0,
            deleted: 0,
        }
    }

    pub fn clock_is(&mut self, now: DateTime<Utc>) {
        *self.clock.lock().unwrap() = now;
    }

    fn clock(&self) -> Clock {
        let clock = self.clock.clone();
        Clock::new(move || *clock.lock().unwrap())
    }

    /// By so many at once: none gets what another has.
    pub async fn take(&mut self, hands: u64) -> Vec<Held> {
        let take = async |client: &Client| -> Option<Held> {
            let sql = "SELECT public.rovodev_take_job('year', 60, most => 3)::text";
            let taken: Option<String> = client.query_one(sql, &[]).await.unwrap().get(0);
            let job: Value = serde_json::from_str(&taken?).unwrap();
            let id = |at: &str| job.pointer(at).unwrap().as_str().unwrap().parse().unwrap();
            let token = job["token"].as_i64().unwrap() as i32;
            let kind = job["kind"].as_str().unwrap().to_string();
            Some(Held {
                id: id("/id"),
                token,
                kind,
                subject: id("/backup/id"),
            })
        };
        let taken: Vec<Held> = match hands {
            1 => take(&self.clients[0]).await.into_iter().collect(),
            _ => {
                let (a, b) = tokio::join!(take(&self.clients[0]), take(&self.clients[1]));
                a.into_iter().chain(b).collect()
            }
        };
        let ids: BTreeSet<Uuid> = taken.iter().map(|job| job.id).collect();
        assert_eq!(ids.len(), taken.len(), "two hold one job: {taken:?}");
        taken
    }

    /// Leases of the dead end, and waits before another attempt. Whether anybody waited for that.
    pub async fn time_passes(&mut self, client: &Client) -> bool {
        if std::mem::take(&mut self.under_lease) == 0 {
            return false;
        }
        let passed = "SELECT pgmq.set_vt(queue, message_id, 0) FROM public.rovodev_jobs WHERE state IN ('queued', 'running'); \
             UPDATE public.rovodev_jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'";
        client.batch_execute(passed).await.unwrap();
        let now = *self.clock.lock().unwrap();
        self.clock_is(now + chrono::TimeDelta::minutes(5));
        true
    }

    /// Whether the job was ended by this holder. In every fourth attempt it dies, at a moment that luck chooses.
    pub async fn on(&mut self, job: Held, number: u64, luck: &mut Luck) -> bool {
        for dead in self.dead.iter().filter(|dead| dead.id == job.id) {
            let late = json!({ "manifest_key": "late" });
            assert!(
                !self.end(dead, &late).await,
                "who was given up ends what another holds: {dead:?}"
            );
        }
        let dies = (luck.below(4) == 0).then(|| luck.below(12));
        let store = match dies {
            Some(call) => Store::Unreliable(Unreliable::new(
                self.store.store.clone(),
                [Rule::new(When::From(call), Fault::Fail { retry: false })],
            )),
            None => self.store.store.clone(),
        };
        let done = match job.kind.as_str() {
            "backup" => self.write(&store, &job, number).await,
            _ => self.delete(&store, &job).await,
        };
        // Also after its work, before it says so.
        if dies.is_some() || !done {
            *self.deaths.entry(job.subject).or_default() += usize::from(job.kind == "backup");
            self.under_lease += 1;
            self.dead.push(job);
            return false;
        }
        self.deleted += usize::from(job.kind == "delete");
        let fields = match job.kind.as_str() {
            "backup" => {
                json!({ "manifest_key": keys::manifest(TENANT, job.subject), "size_bytes": 1 })
            }
            _ => json!({}),
        };
        assert!(self.end(&job, &fields).await, "who holds a job ends it");
        true
    }

    async fn end(&self, job: &Held, fields: &Value) -> bool {
        let sql = "SELECT (public.rovodev_end_job($1, $2, 'completed', $3::text::jsonb) ->> 'held')::boolean";
        let held = self.clients[0]
            .query_one(sql, &[&job.id, &job.token, &fields.to_string()])
            .await;
        held.unwrap().get(0)
    }

    /// Segments that its neighbours share, and a manifest. Whether it got so far.
    async fn write(&mut self, to: &Store, job: &Held, schedule: u64) -> bool {
        self.written += 1;
        let texts = [self.written / 3, 1_000_000 + self.written % 5]
            .map(|seed| sample::rows(schedule * 10_000 + seed, 2));
        let table = QName::new("public", "t");
        // The sample leaves its segments; the manifest goes last, by who may die.
        let manifest = Sample::new("run", vec![(table, texts.to_vec())])
            .write(&self.store)
            .await;
        self.store
            .store
            .delete(&[keys::manifest(TENANT, manifest.id)])
            .await
            .unwrap();
        let manifest = rovodev::core::manifest::Manifest {
            id: job.subject,
            config: vec![],
            ..manifest
        };
        let bytes = seal(&manifest).unwrap();
        to.put_new(&keys::manifest(TENANT, job.subject), bytes.into())
            .await
            .is_ok()
    }

    /// As the job that deletes does it.
    async fn delete(&self, store: &Store, job: &Held) -> bool {
        let (clock, ids) = (self.clock(), [job.subject]);
        if withdraw(store, TENANT, job.subject).await.is_err() {
            return false;
        }
        match delete(&Context::default(), store, TENANT, &ids, &clock, false).await {
            Ok(_) => true,
            Err(e) => e.code == Code::BackupNotFound,
        }
    }

    /// Every object that these backups need is there.
    pub async fn assert_whole(&self, ids: &[Uuid]) {
        let store = &self.store.store;
        let there: BTreeSet<String> = store
            .list(keys::SEGMENTS)
            .await
            .unwrap()
            .into_iter()
            .map(|o| o.key)
            .collect();
        for id in ids {
            let manifest = backups::read(store, TENANT, *id).await.unwrap();
            for segment in manifest.tables.iter().flat_map(|t| t.segments()) {
                let key = keys::segment(&segment.id, manifest.codec);
                assert!(
                    there.contains(&key),
                    "backup {id} is there and its segment {key} was pruned"
                );
            }
        }
    }

    /// Holders that were given up come back and say that all is well.
    pub async fn late_words_change_nothing(&self) {
        let state = "SELECT md5(string_agg(j::text || b::text, '' ORDER BY j.id)) FROM public.rovodev_jobs j JOIN public.backups b ON b.id = j.backup_id";
        let before: String = self.clients[0].query_one(state, &[]).await.unwrap().get(0);
        for dead in &self.dead {
            assert!(
                !self.end(dead, &json!({ "manifest_key": "late" })).await,
                "a late word counts: {dead:?}"
            );
        }
        let after: String = self.clients[0].query_one(state, &[]).await.unwrap().get(0);
        assert_eq!(before, after);
    }

    pub fn deaths(&self, backup: Uuid) -> usize {
        self.deaths.get(&backup).copied().unwrap_or_default()
    }

    pub fn told(&self) -> String {
        format!(
            "{} holders died, {} backups deleted",
            self.dead.len(),
            self.deleted
        )
    }
}
