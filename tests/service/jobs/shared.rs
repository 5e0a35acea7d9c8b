//! The app's database is shared: so many jobs use it together, whoever holds them, and tenants take turns.

use super::workplace::{Workplace, catalog};
use rovodev::config::Settings;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{Workshop, work, work_off};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Backups that are asked for in one moment, those of the first tenant before those of the second.
async fn ask(place: &Workplace, kind: &str, many: [i32; 2]) {
    for (tenant, count) in ["default", "northwind-dental"].iter().zip(many) {
        place
            .run(&format!(
                "WITH made AS (INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, selection) \
                     SELECT t.id, t.slug || n, 'x', 'database', \
                         CASE WHEN t.scope_column IS NULL THEN '{{}}' ELSE jsonb_build_object('scope', rovodev.scope(t)) END \
                     FROM public.rovodev_tenants t, generate_series(1, {count}) n WHERE t.slug = '{tenant}' RETURNING *) \
                 SELECT rovodev.enqueue('{kind}', tenant_id, backup => id) FROM made"
            ))
            .await;
    }
}

/// The tenant whose job is taken by one who lets three use the source, and how the job is called.
async fn take(place: &Workplace) -> Option<(String, String)> {
    let sql = "SELECT public.rovodev_take_job('w', 60, most => 3)::text";
    let job: Value = serde_json::from_str(&place.text(sql).await?).unwrap();
    let told = |at: &str| job.pointer(at).unwrap().as_str().unwrap().to_string();
    Some((told("/tenant/slug"), told("/id")))
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_runs_of_one_tenant_do_not_hold_up_the_one_of_another() {
    let place = Workplace::start().await;
    ask(&place, "backup", [500, 1]).await;
    let mut taken = Vec::new();
    while let Some(job) = take(&place).await {
        taken.push(job);
    }
    let tenants: Vec<&str> = taken.iter().map(|(tenant, _)| tenant.as_str()).collect();
    assert_eq!(tenants, ["default", "northwind-dental", "default"]);
    // Who names a job gets no more room than others do.
    let waits = "SELECT public.rovodev_take_job('w', 60, id, most => 3)::text FROM public.rovodev_jobs WHERE state = 'queued' LIMIT 1";
    assert_eq!(place.text(waits).await, None);
    // What needs no session of the database waits for nobody.
    ask(&place, "delete", [1, 0]).await;
    let (_, deletion) = take(&place).await.unwrap();
    let kind = format!("SELECT kind FROM public.rovodev_jobs WHERE id = '{deletion}'");
    assert_eq!(place.text(&kind).await.unwrap(), "delete");
    assert_eq!(take(&place).await, None);
    // The room of one that died is there again with the end of its lease.
    let (_, dead) = &taken[1];
    place
        .run(&format!("UPDATE public.rovodev_jobs SET leased_until = now() - interval '1 second' WHERE id = '{dead}'"))
        .await;
    assert!(take(&place).await.is_some());
    assert_eq!(take(&place).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_go_round_while_both_have_work() {
    let place = Workplace::start().await;
    ask(&place, "backup", [40, 10]).await;
    let mut order = String::new();
    while let Some((tenant, job)) = take(&place).await {
        order.push_str(&tenant[..1]);
        place
            .run(&format!(
                "SELECT public.rovodev_end_job('{job}', 1, 'cancelled')"
            ))
            .await;
    }
    assert_eq!(order, "dn".repeat(10) + &"d".repeat(30));
}

/// Sessions of the app's database that one job opens at most; DEPLOY.md and .env.example tell people.
const SESSIONS: i64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_workers_together_keep_to_the_limit_of_the_source() {
    let place = Workplace::start().await;
    ask(&place, "backup", [7, 1]).await;
    let mut variables = place.variables.clone();
    variables.push(("ROVODEV_JOBS_AT_ONCE", "2".into()));
    let settings = Settings::of(variables);
    let workshop = |seconds: Option<u64>| {
        let deadline = seconds.map(|s| Instant::now() + Duration::from_secs(s));
        Workshop::new(&settings, catalog(&settings), deadline).unwrap()
    };
    let (worker, functions) = (workshop(None), [workshop(Some(300)), workshop(Some(300))]);
    let ctx = Context::default();
    let stop = ctx.clone();
    let hands = async {
        let worked = tokio::join!(
            work(&ctx, &worker, 4, false),
            work_off(&functions[0], &ctx),
            work_off(&functions[1], &ctx)
        );
        (worked.0.unwrap(), worked.1.unwrap(), worked.2.unwrap())
    };
    let watch = async {
        let (mut jobs, mut sessions) = (0, 0);
        let begun = Instant::now();
        while place.open_jobs().await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(120));
            jobs = jobs.max(
                place
                    .count("SELECT count(*) FROM public.rovodev_jobs WHERE state = 'running'")
                    .await,
            );
            let of_ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('rovodev', 'pg_dump')";
            sessions = sessions.max(place.count(of_ours).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel.cancel();
        (jobs, sessions)
    };
    let (worked, (jobs, sessions)) = tokio::join!(hands, watch);
    println!("{jobs} jobs and {sessions} sessions at once; {worked:?}");
    assert_eq!(jobs, 2);
    assert!(sessions <= 2 * SESSIONS, "{sessions} sessions");
    let completed =
        "SELECT count(*) FROM public.backups WHERE status = 'completed' AND attempt = 1";
    assert_eq!(place.count(completed).await, 8);
    let before = "SELECT count(*) FROM public.backups b, public.backups n JOIN public.rovodev_tenants t ON t.id = n.tenant_id \
         WHERE t.slug = 'northwind-dental' AND b.started_at < n.started_at";
    assert!(
        place.count(before).await <= 1,
        "the one of another waited for its turn alone"
    );
}

#[test]
fn a_limit_that_is_none_is_refused() {
    for text in ["0", "101", "many"] {
        let settings = Settings::of([
            ("DATABASE_URL", "postgres://a:b@127.0.0.1:1/c".to_string()),
            ("BACKUP_STORE", "s3://bucket/prefix".to_string()),
            ("SUPABASE_URL", "http://127.0.0.1:1".to_string()),
            ("SUPABASE_PUBLISHABLE_KEY", "p".to_string()),
            ("SUPABASE_SECRET_KEY", "s".to_string()),
            ("ROVODEV_JOBS_AT_ONCE", text.to_string()),
        ]);
        let refused = Workshop::new(&settings, catalog(&settings), None)
            .err()
            .unwrap();
        assert_eq!(refused.code, Code::Config, "{refused}");
        assert!(
            refused.message.contains("ROVODEV_JOBS_AT_ONCE"),
            "{refused}"
        );
    }
}
