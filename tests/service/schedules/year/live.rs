//! One year, and what is looked at after each of its ticks.

use super::plan::{Known, Plan, State, kept};
use super::works::{Held, Works};
use crate::luck::Luck;
use crate::schedules::claims::{catalog, patience};
use crate::stack::Running;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rovodev::ports::catalog::Catalog;
use rovodev::tasks::schedules::{claim_due, expire_due};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

const FRESH: &str = "TRUNCATE public.rovodev_jobs, public.backups, public.backup_schedules CASCADE; \
     SELECT pgmq.purge_queue('rovodev_jobs'); DELETE FROM rovodev.turns";
const STEPS: u64 = 80;

struct Timed {
    plan: Plan,
    id: Uuid,
    due: BTreeSet<DateTime<Utc>>,
    /// The last tick: what is due later is to come.
    looked: DateTime<Utc>,
}

pub struct Year {
    client: Client,
    catalog: Catalog,
    now: DateTime<Utc>,
    luck: Luck,
    schedules: Vec<Timed>,
    backups: BTreeMap<Uuid, Known>,
    expired: BTreeSet<Uuid>,
    works: Works,
    catch_ups: usize,
    runs: usize,
}

impl Year {
    pub async fn begin(running: &Running, plans: Vec<Plan>, luck: u64) -> Self {
        let client = running.superuser().await;
        client.batch_execute(FRESH).await.unwrap();
        let begin: DateTime<Utc> = "2026-12-31T23:00:00Z".parse().unwrap();
        let mut schedules = Vec::new();
        for (number, plan) in plans.into_iter().enumerate() {
            let due = plan.due(begin, begin + TimeDelta::days(400));
            let sql = "INSERT INTO public.backup_schedules (tenant_id, name, cron_expression, timezone, backup_type, next_run_at, jitter_seconds, retention) \
                 SELECT id, $1, $2, $3, 'database', $4::text::timestamptz, $5, $6::text::jsonb FROM public.rovodev_tenants WHERE slug = 'default' RETURNING id";
            let (next, jitter) = (due.first().unwrap().to_rfc3339(), plan.jitter as i32);
            let policy = serde_json::to_string(&plan.policy).unwrap();
            let made = client
                .query_one(
                    sql,
                    &[
                        &number.to_string(),
                        &plan.cron(),
                        &plan.zone.name(),
                        &next,
                        &jitter,
                        &policy,
                    ],
                )
                .await
                .unwrap();
            schedules.push(Timed {
                plan,
                id: made.get(0),
                due,
                looked: begin,
            });
        }
        Self {
            client,
            catalog: catalog(running),
            now: begin,
            luck: Luck::of(luck),
            schedules,
            backups: BTreeMap::new(),
            expired: BTreeSet::new(),
            works: Works::new(running).await,
            catch_ups: 0,
            runs: 0,
        }
    }

    pub async fn pass(&mut self) {
        let end = self.now + TimeDelta::days(365);
        while self.now < end {
            self.time_goes();
            self.tick().await;
            // Now and then what was claimed waits for a later tick.
            if self.luck.below(5) > 0 {
                self.work().await;
            }
            self.people().await;
            if self.luck.below(3) == 0 {
                self.expire(true).await;
            }
        }
        self.work().await;
        // Who died between its look and the deletion leaves it to the next day's look.
        self.now += TimeDelta::days(2);
        self.expire(false).await;
        self.work().await;
        for (number, schedule) in self.schedules.iter().enumerate() {
            let of_it = self.of(number);
            let must = kept(&schedule.plan, self.now, &of_it);
            let there: BTreeSet<Uuid> = of_it.into_keys().collect();
            assert_eq!(
                there, must,
                "in the end exactly what it keeps is there: {:?}",
                schedule.plan
            );
        }
        self.works.late_words_change_nothing().await;
    }

    /// About [`STEPS`] ticks in a year; mostly soon after something is due, sometimes a little before, and not for weeks
    /// where nobody called.
    fn time_goes(&mut self) {
        let average = 365 * 86_400 / STEPS as i64;
        let next = self
            .schedules
            .iter()
            .filter_map(|s| s.due.range(self.now..).next())
            .min()
            .copied();
        let before = self.now;
        self.now += TimeDelta::seconds(match self.luck.below(30) {
            0 => self.luck.below(40 * 86_400) as i64,
            _ => self.luck.below(2 * average as u64) as i64,
        });
        if let Some(next) = next
            && self.luck.below(3) == 0
        {
            let near = next + TimeDelta::seconds(self.luck.below(3) as i64 - 1);
            self.now = near.max(before + TimeDelta::seconds(1));
        }
        self.works.clock_is(self.now);
    }

    /// Some of them at once, some of them dead before they heard an answer.
    async fn tick(&mut self) {
        let ticks = (0..1 + self.luck.below(3))
            .map(|_| self.luck.below(12_000))
            .collect::<Vec<_>>();
        let (catalog, now) = (&self.catalog, self.now);
        join_all(ticks.into_iter().map(|lives| async move {
            let tick = claim_due(catalog, now, patience());
            match lives > 6000 {
                true => drop(tick.await.unwrap()),
                false => drop(tokio::time::timeout(Duration::from_micros(lives), tick).await),
            }
        }))
        .await;
        let due = "SELECT count(*) FROM public.backup_schedules WHERE enabled AND next_run_at <= $1::text::timestamptz";
        let at = self.now.to_rfc3339();
        // What a dead one began ends by itself.
        for _ in 0..200 {
            claim_due(&self.catalog, self.now, patience())
                .await
                .unwrap();
            if self
                .client
                .query_one(due, &[&at])
                .await
                .unwrap()
                .get::<_, i64>(0)
                == 0
            {
                return self.each_once().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("what is due at {at} stays due");
    }

    /// Each schedule that was due since the last tick has one run of this moment, with one job and one message; the others
    /// have none.
    async fn each_once(&mut self) {
        let sql = "SELECT b.schedule_id, b.id, count(j.id), count(q.msg_id) FROM public.backups b \
             LEFT JOIN public.rovodev_jobs j ON j.backup_id = b.id \
             LEFT JOIN pgmq.q_rovodev_jobs q ON q.msg_id = j.message_id AND q.message ->> 'job' = j.id::text \
             WHERE b.created_at = $1::text::timestamptz GROUP BY b.id";
        let rows = self
            .client
            .query(sql, &[&self.now.to_rfc3339()])
            .await
            .unwrap();
        for (number, schedule) in self.schedules.iter_mut().enumerate() {
            let missed = schedule
                .due
                .range((
                    std::ops::Bound::Excluded(schedule.looked),
                    std::ops::Bound::Included(self.now),
                ))
                .count();
            schedule.looked = self.now;
            let runs: Vec<_> = rows
                .iter()
                .filter(|r| r.get::<_, Uuid>(0) == schedule.id)
                .collect();
            assert_eq!(
                runs.len(),
                missed.min(1),
                "{missed} were due until {}: {:?}",
                self.now,
                schedule.plan
            );
            self.catch_ups += usize::from(missed > 1);
            self.runs += runs.len();
            for run in runs {
                assert_eq!(
                    (run.get::<_, i64>(2), run.get::<_, i64>(3)),
                    (1, 1),
                    "a run is one job and one message"
                );
                let known = Known {
                    schedule: number,
                    at: self.now,
                    state: State::Open,
                    pinned: false,
                    verified: false,
                };
                self.backups.insert(run.get(1), known);
            }
        }
    }

    /// Until nothing waits. Whoever dies is taken over once its lease is over.
    async fn work(&mut self) {
        loop {
            let hands = 1 + self.luck.below(2);
            let taken = self.works.take(hands).await;
            if taken.is_empty() && !self.works.time_passes(&self.client).await {
                break;
            }
            for job in taken {
                let Held { subject, .. } = job;
                let is_backup = job.kind == "backup";
                let number = self.backups[&subject].schedule as u64;
                let ended = self.works.on(job, number, &mut self.luck).await;
                if ended && is_backup {
                    self.backups.get_mut(&subject).unwrap().state = State::Good;
                }
            }
        }
        self.catalog_agrees().await;
    }

    /// Every run ended once, as its attempts did; nothing that is there lacks a segment.
    async fn catalog_agrees(&mut self) {
        let sql = "SELECT b.id, b.status, count(a.id) FROM public.backups b \
             LEFT JOIN public.rovodev_audit_log a ON a.object_id = b.id AND a.door = 'job' AND a.action = 'backup' \
             GROUP BY b.id";
        let mut alive = Vec::new();
        for row in self.client.query(sql, &[]).await.unwrap() {
            let (id, status, ends): (Uuid, String, i64) = (row.get(0), row.get(1), row.get(2));
            let known = self.backups.get_mut(&id).unwrap();
            if status == "failed" {
                assert_eq!(self.works.deaths(id), 5, "it is given up after five deaths");
                known.state = State::Failed;
            } else {
                assert_eq!((status.as_str(), known.state), ("completed", State::Good));
            }
            assert_eq!(ends, 1, "each run ends once: {id} {status}");
            if known.state == State::Good && !self.expired.contains(&id) {
                alive.push(id);
            }
        }
        self.works.assert_whole(&alive).await;
    }

    /// Pins, and verifies.
    async fn people(&mut self) {
        let there: Vec<Uuid> = self
            .backups
            .iter()
            .filter(|(id, b)| b.state == State::Good && !self.expired.contains(id))
            .map(|(id, _)| *id)
            .collect();
        if there.is_empty() || self.luck.below(3) > 0 {
            return;
        }
        let id = there[self.luck.below(there.len() as u64) as usize];
        let known = self.backups.get_mut(&id).unwrap();
        match self.luck.below(3) {
            0 => known.verified = true,
            _ => known.pinned = !known.pinned,
        }
        let sql = "UPDATE public.backups SET pinned = $2, verified_at = CASE WHEN $3 THEN created_at END WHERE id = $1";
        self.client
            .execute(sql, &[&id, &known.pinned, &known.verified])
            .await
            .unwrap();
    }

    fn of(&self, schedule: usize) -> BTreeMap<Uuid, Known> {
        let of_it =
            |(id, b): &(&Uuid, &Known)| b.schedule == schedule && !self.expired.contains(id);
        self.backups
            .iter()
            .filter(of_it)
            .map(|(id, b)| (*id, b.clone()))
            .collect()
    }

    /// By one alone, or beside another that may die. Nothing goes that the policy keeps.
    async fn expire(&mut self, beside_another: bool) {
        let must: BTreeSet<Uuid> = (0..self.schedules.len())
            .flat_map(|number| kept(&self.schedules[number].plan, self.now, &self.of(number)))
            .collect();
        let one = || expire_due(&self.catalog, self.now, patience());
        if beside_another {
            let dies = Duration::from_micros(self.luck.below(20_000));
            let (first, _) = tokio::join!(one(), tokio::time::timeout(dies, one()));
            first.unwrap();
        } else {
            one().await.unwrap();
        }
        let sql = "SELECT coalesce(jsonb_agg(id), '[]')::text FROM public.backups WHERE deleted_at IS NOT NULL";
        let gone: String = self.client.query_one(sql, &[]).await.unwrap().get(0);
        let gone: Vec<Value> = serde_json::from_str(&gone).unwrap();
        self.expired = gone
            .iter()
            .map(|id| id.as_str().unwrap().parse().unwrap())
            .collect();
        let lost: Vec<_> = must
            .intersection(&self.expired)
            .map(|id| &self.backups[id])
            .collect();
        assert!(
            lost.is_empty(),
            "the policy keeps these, and they are gone at {}: {lost:?}",
            self.now
        );
    }

    pub fn told(&self) -> String {
        format!(
            "{} schedules, {} runs ({} for several that were missed), {} expired, {}",
            self.schedules.len(),
            self.runs,
            self.catch_ups,
            self.expired.len(),
            self.works.told()
        )
    }
}
