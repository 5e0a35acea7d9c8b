//! Backups written by hand, for tests that need no database.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rovodev::core::ident::QName;
use rovodev::core::manifest::*;
use rovodev::core::row_hash::RowHashSum;
use rovodev::core::{codec, keys};
use rovodev::ports::store::{Put, Store};
use rovodev::tasks::Context;
use rovodev::tasks::open_store::{self, OpenedStore};
use serde_json::Map;
use uuid::Uuid;

pub const TENANT: &str = "default";

pub async fn opened(store: &Store) -> OpenedStore {
    open_store::open(&Context::default(), store, None, true)
        .await
        .unwrap()
}

/// One table per list of segments, each segment some rows of text.
pub struct Sample<'a> {
    pub name: &'a str,
    pub codec: Codec,
    pub trigger: Trigger,
    pub finished_at: DateTime<Utc>,
    pub tables: Vec<(QName, Vec<String>)>,
}

impl Sample<'_> {
    pub fn new(name: &str, tables: Vec<(QName, Vec<String>)>) -> Sample<'_> {
        Sample {
            name,
            codec: Codec::Zstd,
            trigger: Trigger::Manual,
            finished_at: Utc::now(),
            tables,
        }
    }

    /// Writes the segments, an object beside them, and the manifest.
    pub async fn write(&self, to: &OpenedStore) -> Manifest {
        self.write_changed(to, |_| {}).await
    }

    /// The same, with a manifest that `change` altered before it was sealed.
    pub async fn write_changed(
        &self,
        to: &OpenedStore,
        change: impl Fn(&mut Manifest),
    ) -> Manifest {
        let begun = self.finished_at;
        let time = (
            begun.timestamp().unsigned_abs(),
            begun.timestamp_subsec_nanos(),
        );
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, time.0, time.1));
        let mut tables = Vec::new();
        for (name, segments) in &self.tables {
            tables.push(self.table(to, name, segments).await);
        }
        let config = self.config(to, id).await;
        let mut manifest = self.manifest(id, tables, config);
        change(&mut manifest);
        let key = keys::manifest(TENANT, id);
        let put = to
            .store
            .put_new(&key, seal(&manifest).unwrap().into())
            .await;
        assert_eq!(put.unwrap(), Put::Written);
        manifest
    }

    async fn table(&self, to: &OpenedStore, name: &QName, texts: &[String]) -> Table {
        let mut segments = Vec::new();
        for text in texts {
            segments.push(self.segment(to, text).await);
        }
        let sum = |what: fn(&Segment) -> u64| segments.iter().map(what).sum();
        Table {
            name: name.clone(),
            kind: TableKind::Heap,
            oid: 1,
            relfilenode: 1,
            unlogged: false,
            partition_root: None,
            columns: vec![Column {
                name: "t".into(),
                type_name: "text".into(),
                not_null: false,
                identity: None,
            }],
            primary_key: vec![],
            shape: "shape".into(),
            rows: sum(|s| s.rows),
            raw_bytes: sum(|s| s.raw_bytes),
            range_blocks: 0,
            ranges: vec![Range {
                start_block: 0,
                end_block: None,
                fingerprint: None,
                segments,
            }],
            owned: true,
            platform: false,
            unknown: Map::new(),
        }
    }

    async fn segment(&self, to: &OpenedStore, text: &str) -> Segment {
        let id = blake3::keyed_hash(&to.segment_key, text.as_bytes())
            .to_hex()
            .to_string();
        let stored = codec::compress(self.codec, text.as_bytes()).unwrap();
        let key = keys::segment(&id, self.codec);
        to.store.put_new(&key, stored.clone().into()).await.unwrap();
        let mut sum = RowHashSum::default();
        text.lines()
            .for_each(|row| sum.add(row.as_bytes(), to.row_seed));
        Segment {
            id,
            rows: text.lines().count() as u64,
            raw_bytes: text.len() as u64,
            stored_bytes: stored.len() as u64,
            stored_hash: blake3::hash(&stored).to_hex().to_string(),
            stored_crc32: None,
            row_hash_sum: sum.to_string(),
        }
    }

    async fn config(&self, to: &OpenedStore, id: Uuid) -> Vec<ConfigFile> {
        let content = format!("{{\"of\": \"{id}\"}}\n");
        let stored = codec::compress(Codec::Zstd, content.as_bytes()).unwrap();
        let object = Object {
            key: keys::backup_dir(TENANT, id) + "config/vercel.json.zst",
            raw_bytes: content.len() as u64,
            stored_bytes: stored.len() as u64,
            stored_hash: blake3::hash(&stored).to_hex().to_string(),
        };
        to.store
            .put_new(&object.key, Bytes::from(stored))
            .await
            .unwrap();
        vec![ConfigFile {
            path: "vercel.json".into(),
            object,
        }]
    }

    fn manifest(&self, id: Uuid, tables: Vec<Table>, config: Vec<ConfigFile>) -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            id,
            name: self.name.into(),
            tenant: TENANT.into(),
            kind: BackupType::Full,
            trigger: self.trigger,
            parent: None,
            started_at: self.finished_at,
            finished_at: self.finished_at,
            tool_version: "0".into(),
            codec: self.codec,
            source: Some(source()),
            selection: Selection::default(),
            schema: Schema {
                status: SchemaStatus::Missing,
                reason: None,
                pg_dump_version: None,
                pre_data: None,
                post_data: None,
                extras: None,
                unknown: Map::new(),
            },
            tables,
            sequences: vec![],
            materialized_views: vec![],
            foreign_tables: vec![],
            config,
            warnings: vec![],
            left_out: vec![],
            totals: Totals::default(),
            unknown: Map::new(),
        }
    }
}

fn source() -> Source {
    Source {
        server_version: "15".into(),
        server_version_num: 150_000,
        system_identifier: "1".into(),
        timeline: 1,
        postmaster_started_at: String::new(),
        database: "app".into(),
        encoding: "UTF8".into(),
        snapshot: "1:1:".into(),
        lsn: "0/0".into(),
        unknown: Map::new(),
    }
}

/// Rows of text that no other seed makes.
pub fn rows(seed: u64, count: u64) -> String {
    let row = |i| {
        format!(
            "{seed}-{i}-{:016x}\n",
            (seed + 1).wrapping_mul(i + 0x9e37_79b9_7f4a_7c15)
        )
    };
    (0..count).map(row).collect()
}
