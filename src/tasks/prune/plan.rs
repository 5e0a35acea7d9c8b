//! What a prune would delete.

use crate::core::keys;
use crate::core::manifest::Codec;
use crate::error::{During, Result};
use crate::ports::store::{ObjectInfo, Store};
use crate::tasks::{Context, backups, lease};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// An unused object this young stays: its backup may still be on its way.
pub const GRACE: TimeDelta = TimeDelta::hours(24);

/// What is deleted and what stays.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrunePlan {
    /// Complete backups in the store, of every tenant.
    pub backups: u64,
    pub used_segments: u64,
    /// Unused, but younger than [`GRACE`].
    pub young_segments: u64,
    #[serde(serialize_with = "keys_of")]
    pub segments: Vec<ObjectInfo>,
    /// Of backups that were deleted or never completed, and of probes.
    #[serde(serialize_with = "keys_of")]
    pub leftovers: Vec<ObjectInfo>,
}

impl PrunePlan {
    /// Stored bytes that go.
    pub fn bytes(&self) -> u64 {
        self.segments
            .iter()
            .chain(&self.leftovers)
            .map(|o| o.bytes)
            .sum()
    }
}

fn keys_of<S: serde::Serializer>(objects: &[ObjectInfo], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(objects.iter().map(|o| &o.key))
}

/// Marks what every manifest of every tenant uses; one that cannot be read stops it.
pub async fn plan(ctx: &Context, store: &Store, now: DateTime<Utc>) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    let mut used = HashSet::new();
    let objects = store.list(keys::BACKUPS).await?;
    for ((tenant, id), objects) in by_backup(objects) {
        ctx.check()?;
        if holds(&objects, "/manifest.json") {
            plan.backups += 1;
            mark(store, &tenant, id, &mut used).await?;
        } else if is_abandoned(store, &objects, now).await? {
            plan.leftovers.extend(objects);
        }
    }
    for object in store.list(keys::SEGMENTS).await? {
        if used.contains(&object.key) {
            plan.used_segments += 1;
        } else if is_old(&object, now) {
            plan.segments.push(object);
        } else {
            plan.young_segments += 1;
        }
    }
    let probes = store.list(keys::PROBES).await?;
    plan.leftovers
        .extend(probes.into_iter().filter(|o| is_old(o, now)));
    Ok(plan)
}

fn by_backup(objects: Vec<ObjectInfo>) -> BTreeMap<(String, Uuid), Vec<ObjectInfo>> {
    let mut folders: BTreeMap<_, Vec<ObjectInfo>> = BTreeMap::new();
    for object in objects {
        if let Some((tenant, id, _)) = keys::parse_backup(&object.key) {
            folders
                .entry((tenant.to_string(), id))
                .or_default()
                .push(object);
        }
    }
    folders
}

async fn mark(store: &Store, tenant: &str, id: Uuid, used: &mut HashSet<String>) -> Result<()> {
    let manifest = backups::read(store, tenant, id)
        .await
        .during("nothing is pruned while a manifest cannot be read")?;
    let codec: Codec = manifest.codec;
    let segments = manifest.tables.iter().flat_map(|t| t.segments());
    used.extend(segments.map(|s| keys::segment(&s.id, codec)));
    Ok(())
}

/// A folder without a manifest is one whose deletion began, or whose backup died long ago.
async fn is_abandoned(store: &Store, objects: &[ObjectInfo], now: DateTime<Utc>) -> Result<bool> {
    if let Some(started) = objects.iter().find(|o| o.key.ends_with("/started.json"))
        && lease::is_live(store, &started.key, now).await?
    {
        return Ok(false);
    }
    Ok(holds(objects, "/deleted.json") || objects.iter().all(|o| is_old(o, now)))
}

fn holds(objects: &[ObjectInfo], name: &str) -> bool {
    objects
        .iter()
        .any(|o| o.key.ends_with(name) && o.key.matches('/').count() == 3)
}

fn is_old(object: &ObjectInfo, now: DateTime<Utc>) -> bool {
    now - object.modified > GRACE
}
