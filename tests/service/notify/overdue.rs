//! A backup that did not happen is told, once, by the first tick that could have known.

use super::receiver::{Receiver, reaching};
use crate::schedules::claims::{catalog, patience};
use crate::stack::Running;
use chrono::{DateTime, TimeDelta, Utc};
use rovodev::tasks::notify::tell_overdue;
use rovodev::tasks::schedules::claim_due;
use serde_json::{Value, json};

const BOUND: u32 = 120;

struct Watched {
    running: Running,
    receiver: Receiver,
    admin: String,
    schedule: String,
}

/// A daily schedule, and somebody who wants to know.
async fn watched() -> Watched {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["backup.overdue"] });
    running.channel(&admin, body).await;
    let daily = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database" });
    let schedule = running.scheduled(&admin, daily).await;
    Watched {
        running,
        receiver,
        admin,
        schedule,
    }
}

impl Watched {
    /// What a tick does at another time: looks for what is overdue, then claims.
    async fn tick_at(&self, now: DateTime<Utc>, claims: bool) -> usize {
        let catalog = catalog(&self.running);
        let told = tell_overdue(&catalog, now, BOUND, patience())
            .await
            .unwrap();
        if claims {
            claim_due(&catalog, now, patience()).await.unwrap();
        }
        told
    }

    async fn next_run(&self) -> DateTime<Utc> {
        let path = format!("/api/schedules?id={}", self.schedule);
        let (_, shown) = self.running.call(&self.admin, "GET", &path, None).await;
        shown["nextRunAt"].as_str().unwrap().parse().unwrap()
    }

    async fn end_backups(&self, status: &str) {
        let client = self.running.superuser().await;
        let sql = format!(
            "UPDATE public.backups SET status = 'in_progress' WHERE status = 'pending';
             UPDATE public.backups SET status = '{status}', manifest_key = 'x', finished_at = now(), error_message = 'told' \
                 WHERE status = 'in_progress'"
        );
        client.batch_execute(&sql).await.unwrap();
    }
}

fn later(at: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    at + TimeDelta::minutes(minutes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_claims_is_told_once_and_ends_with_the_next_success() {
    let watched = watched().await;
    let due = watched.next_run().await;
    assert_eq!(
        watched.tick_at(later(due, 119), false).await,
        0,
        "still in time"
    );
    assert_eq!(watched.tick_at(later(due, 121), false).await, 1);
    assert_eq!(watched.tick_at(later(due, 122), false).await, 0, "once");
    // Claimed at last; that its backup takes long is the same missed run.
    assert_eq!(watched.tick_at(later(due, 123), true).await, 0);
    assert_eq!(watched.tick_at(later(due, 123 + 200), false).await, 0);
    let told = watched.receiver_told(1).await;
    assert_eq!(told["data"]["schedule"]["name"], "Nightly", "{told}");
    let due_at: DateTime<Utc> = told["data"]["dueAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(due_at, due);
    watched.end_backups("completed").await;
    let over = watched.receiver_told(2).await;
    assert_eq!(over["type"], "backup.succeeded", "{over}");
    assert_eq!(over["data"]["recovered"]["failures"], 1);
    let open = "SELECT count(*) FROM public.rovodev_missed_runs WHERE ended_at IS NULL";
    let row = watched.running.superuser().await.query_one(open, &[]).await;
    assert_eq!(row.unwrap().get::<_, i64>(0), 0);
    // The next day's run is another one.
    let next = watched.next_run().await;
    assert_eq!(watched.tick_at(later(next, 121), true).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_does_not_end_is_told_once_and_one_that_ended_never() {
    let watched = watched().await;
    let due = watched.next_run().await;
    assert_eq!(watched.tick_at(later(due, 1), true).await, 0);
    assert_eq!(watched.tick_at(later(due, 120), true).await, 0);
    assert_eq!(watched.tick_at(later(due, 122), true).await, 1);
    assert_eq!(watched.tick_at(later(due, 124), true).await, 0);
    let told = watched.receiver_told(1).await;
    assert!(told["data"]["backup"]["id"].is_string(), "{told}");
    watched.end_backups("failed").await;
    let next = watched.next_run().await;
    assert_eq!(watched.tick_at(later(next, 1), true).await, 0);
    watched.end_backups("completed").await;
    assert_eq!(watched.tick_at(later(next, 500), true).await, 0);
}

/// The tick itself, by the clock on the wall.
#[tokio::test(flavor = "multi_thread")]
async fn the_tick_tells_and_claims() {
    let watched = watched().await;
    let sql = format!(
        "UPDATE public.backup_schedules SET next_run_at = now() - interval '3 hours' WHERE id = '{}'",
        watched.schedule
    );
    watched
        .running
        .superuser()
        .await
        .batch_execute(&sql)
        .await
        .unwrap();
    let told = watched.running.tick().await;
    assert_eq!(
        (&told["overdue"], &told["claimed"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    let told = watched.receiver.until(1).await[0].json();
    assert_eq!(told["type"], "backup.overdue", "{told}");
}

/// A schedule that cannot run will neither fail nor succeed any more: that is news.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_switched_off_is_told() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["backup.failed"] });
    running.channel(&admin, body).await;
    let daily = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database" });
    let id = running.scheduled(&admin, daily).await;
    let sql = format!(
        "UPDATE public.backup_schedules SET timezone = 'Nowhere', next_run_at = now() - interval '1 minute' WHERE id = '{id}'"
    );
    running.superuser().await.batch_execute(&sql).await.unwrap();
    running.tick().await;
    let told = receiver.until(1).await[0].json();
    assert_eq!(told["data"]["error"]["code"], "bad_schedule", "{told}");
}

impl Watched {
    /// The message that came last, of so many.
    async fn receiver_told(&self, number: usize) -> Value {
        let sql = "UPDATE public.rovodev_chores SET claimed_at = now()";
        self.running
            .superuser()
            .await
            .batch_execute(sql)
            .await
            .unwrap();
        let notifier = rovodev::config::Settings::of(self.running.variables.clone());
        let notifier = rovodev::tasks::notify::Notifier::new(&notifier);
        let catalog = catalog(&self.running);
        rovodev::tasks::notify::deliver(&catalog, &notifier, patience())
            .await
            .unwrap();
        self.receiver.until(number).await[number - 1].json()
    }
}
