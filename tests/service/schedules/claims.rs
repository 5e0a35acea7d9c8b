//! The tick claims what is due: once, however many call it, and once for all that was missed.

use crate::stack::{CRON_SECRET, Person, Running};
use chrono::{DateTime, TimeDelta, Utc};
use rovodev::core::schedule::Timing;
use rovodev::ports::catalog::{ApiKey, Catalog};
use rovodev::ports::web;
use rovodev::tasks::schedules::claim_due;
use serde_json::json;
use std::time::{Duration, Instant};

pub fn catalog(running: &Running) -> Catalog {
    let keys = running.project.keys();
    Catalog::new(
        web::client().unwrap(),
        &running.supabase_url(),
        ApiKey::new(keys.publishable.as_str()),
        Some(ApiKey::new(keys.secret.as_str())),
    )
}

/// Long enough for whatever a test claims.
pub fn patience() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tick_claims_a_run_once_and_the_backup_is_taken() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let daily = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database" });
    let id = running.scheduled(&admin, daily).await;
    let client = running.superuser().await;
    let missed = format!(
        "UPDATE public.backup_schedules SET next_run_at = now() - interval '9 days' WHERE id = '{id}'"
    );
    client.batch_execute(&missed).await.unwrap();
    let tick = || running.call(CRON_SECRET, "GET", "/api/cron/tick", None);
    let told = futures_util::future::join_all((0..6).map(|_| tick())).await;
    assert!(told.iter().all(|(status, _)| *status == 200), "{told:?}");
    let claimed: u64 = told
        .iter()
        .map(|(_, t)| t["claimed"].as_u64().unwrap())
        .sum();
    assert_eq!(claimed, 1, "nine missed days are one run: {told:?}");
    let listed = running.call(&admin, "GET", "/api/backups/list?trigger=scheduled", None);
    let (_, listed) = listed.await;
    assert_eq!(listed["total"], 1, "{listed}");
    let backup = listed["backups"][0]["id"].as_str().unwrap();
    let status = format!("/api/backups/{backup}/restore/status");
    let ended = running.ended(&admin, &status).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let (_, shown) = running
        .call(&admin, "GET", &format!("/api/schedules?id={id}"), None)
        .await;
    assert_eq!(shown["lastResult"], "completed");
    let next: DateTime<Utc> = shown["nextRunAt"].as_str().unwrap().parse().unwrap();
    assert!(
        next > Utc::now() && next < Utc::now() + TimeDelta::days(2),
        "{shown}"
    );
}

/// Written past the functions.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_switched_off_and_holds_up_nobody() {
    let running = Running::start().await;
    let client = running.superuser().await;
    client
        .batch_execute(
            "INSERT INTO public.backup_schedules (tenant_id, name, cron_expression, timezone, backup_type, next_run_at, retention) \
             SELECT id, n, e, z, 'database', now() - interval '1 hour', '{\"keepLast\": \"x\"}' FROM public.rovodev_tenants, \
             (VALUES ('a', 'never', 'UTC'), ('b', '* * * * *', 'UTC'), ('c', '0 2 * * *', 'Nowhere'), ('d', '0 2 * * *', 'UTC')) \
                 AS wrong (n, e, z) \
             WHERE slug = 'default'",
        )
        .await
        .unwrap();
    let (status, told) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &told["claimed"]), (200, &json!(1)), "{told}");
    let off = "SELECT count(*) FROM public.backup_schedules WHERE NOT enabled AND next_run_at IS NULL AND last_result = 'failed'";
    assert_eq!(
        client.query_one(off, &[]).await.unwrap().get::<_, i64>(0),
        3
    );
    let log = running.audited("schedule.run").await;
    assert_eq!(
        log,
        vec![("failed".to_string(), Some("bad_schedule".to_string())); 3]
    );
}

/// A year of three schedules, with ticks that come twice, together, and not at all for days.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_year_every_due_run_happens_once() {
    let running = Running::start().await;
    let client = running.superuser().await;
    let catalog = catalog(&running);
    let begin: DateTime<Utc> = "2026-12-31T23:00:00Z".parse().unwrap();
    let schedules = [
        ("nightly", "30 2 * * *", "Europe/Berlin", 77),
        ("workdays", "0 */8 * * MON-FRI", "America/New_York", 0),
        ("monthly", "15 0 L * *", "Australia/Lord_Howe", 600),
    ];
    let mut expected = Vec::new();
    for (name, cron, zone, jitter) in schedules {
        let timing = Timing::new(cron, zone).unwrap().later_by(jitter);
        let next = timing.next(begin).unwrap().at;
        client
            .execute(
                "INSERT INTO public.backup_schedules (tenant_id, name, cron_expression, timezone, backup_type, next_run_at, jitter_seconds) \
                 SELECT id, $1, $2, $3, 'database', $4::text::timestamptz, $5 FROM public.rovodev_tenants WHERE slug = 'default'",
                &[&name, &cron, &zone, &next.to_rfc3339(), &(jitter as i32)],
            )
            .await
            .unwrap();
        expected.push((name, timing, next, 0i64));
    }
    let mut now = begin;
    let mut luck = 7u64;
    while now < begin + TimeDelta::days(365) {
        // Mostly hours; now and then an outage of up to nine days.
        luck = luck
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let draw = (luck >> 33) as i64;
        now += match draw % 40 {
            0 => TimeDelta::hours(draw % 216),
            _ => TimeDelta::minutes(draw % 600 + 1),
        };
        let at_once = 1 + (draw as usize / 40) % 3;
        let ticks = (0..at_once).map(|_| claim_due(&catalog, now, patience()));
        let claimed: usize = futures_util::future::join_all(ticks)
            .await
            .into_iter()
            .map(|c| c.unwrap().runs)
            .sum();
        let mut due = 0;
        for (_, timing, next, runs) in &mut expected {
            if *next <= now {
                *next = timing.next(now).unwrap().at;
                *runs += 1;
                due += 1;
            }
        }
        assert_eq!(claimed, due, "at {now}");
    }
    for (name, _, _, runs) in expected {
        let sql = "SELECT count(*), count(DISTINCT b.created_at), count(j.id), count(DISTINCT q.msg_id) \
             FROM public.backup_schedules s JOIN public.backups b ON b.schedule_id = s.id \
             LEFT JOIN public.rovodev_jobs j ON j.backup_id = b.id AND j.state = 'queued' \
             LEFT JOIN pgmq.q_rovodev_jobs q ON q.msg_id = j.message_id AND q.message ->> 'job' = j.id::text \
             WHERE s.name = $1";
        let row = client.query_one(sql, &[&name]).await.unwrap();
        let counts: [i64; 4] = std::array::from_fn(|at| row.get(at));
        assert_eq!(counts, [runs; 4], "{name}");
    }
}
