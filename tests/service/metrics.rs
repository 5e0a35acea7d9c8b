//! Metrics: day by day for charts, and as OpenMetrics for a scraper.

use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SECRET: &str = "what-the-scraper-shows";

/// Backups of the tenant `default`, spread over a year, one in ten failed, of two schedules and none.
const YEAR: &str = "
    INSERT INTO public.backup_schedules (id, tenant_id, name, cron_expression, backup_type)
    SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, t.id, 'schedule ' || n, '0 2 * * *', 'database'
    FROM public.rovodev_tenants t, generate_series(1, 2) n WHERE t.slug = 'default';
    INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, created_at, started_at, finished_at,
        manifest_key, size_bytes, new_bytes, error_message, schedule_id)
    SELECT t.id, 'b' || n, 'x', 'database', CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END, at, at,
        at + make_interval(secs => n % 100), 'x', 1000, 10, 'x',
        CASE n % 3 WHEN 0 THEN NULL ELSE ('00000000-0000-7000-8000-00000000000' || n % 3)::uuid END
    FROM public.rovodev_tenants t, generate_series(1, 10000) n, LATERAL (SELECT now() - n * interval '50 minutes' AS at) a
    WHERE t.slug = 'default'";

async fn read(running: &Running, token: &str, query: &str) -> Value {
    let path = format!("/api/workspace/metrics{query}");
    let (status, told) = running.call(token, "GET", &path, None).await;
    assert_eq!(status, 200, "{told}");
    told
}

fn sum(days: &Value, field: &str) -> u64 {
    let days = days.as_array().unwrap().iter();
    days.map(|d| d[field].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_counted_by_day_schedule_and_door() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    running.owner().await.batch_execute(YEAR).await.unwrap();
    let year = read(&running, &admin, "?days=366&timezone=Asia/Tokyo").await;
    let days = &year["days"];
    assert_eq!(days.as_array().unwrap().len(), 366);
    assert_eq!(
        (days[0]["day"].as_str(), days[365]["day"].as_str()),
        (year["from"].as_str(), year["to"].as_str())
    );
    assert_eq!((sum(days, "runs"), sum(days, "failed")), (10000, 1000));
    assert_eq!(
        (sum(days, "size"), sum(days, "newBytes")),
        (10_000_000, 100_000)
    );
    let busy = days
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["runs"].as_u64() > Some(20))
        .unwrap();
    let rate = busy["succeeded"].as_f64().unwrap() / busy["runs"].as_f64().unwrap();
    assert_eq!(busy["successRate"].as_f64(), Some(rate));
    assert!(busy["durationP50Ms"].as_u64() <= busy["durationP95Ms"].as_u64());
    let schedules = year["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 3);
    assert_eq!(
        schedules
            .iter()
            .map(|s| s["runs"].as_u64().unwrap())
            .sum::<u64>(),
        10000
    );

    let of = read(
        &running,
        &admin,
        "?days=366&schedule=00000000-0000-7000-8000-000000000001",
    )
    .await;
    assert_eq!(sum(&of["days"], "runs"), 3334);
    assert_eq!(of["schedules"][0]["name"], "schedule 1");

    running
        .scheduled(&admin, json!({ "name": "n", "trigger": "manual" }))
        .await;
    let claimed = "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, trigger, created_by) \
         SELECT id, 'n', 'x', 'full', 'scheduled', 'schedule Daily' FROM public.rovodev_tenants WHERE slug = 'default'";
    running.owner().await.execute(claimed, &[]).await.unwrap();
    let today = read(&running, &admin, "?days=1").await;
    let day = &today["to"];
    let asked = json!({ "day": day, "door": "api", "operations": 1 });
    let scheduled = json!({ "day": day, "door": "cron", "operations": 1 });
    assert_eq!(today["doors"], json!([asked, scheduled]));

    // Somebody else's are nobody's business.
    let customer = running.sign_in(Person::Customer).await;
    let theirs = read(
        &running,
        &customer,
        "?schedule=00000000-0000-7000-8000-000000000001",
    )
    .await;
    assert_eq!(
        (sum(&theirs["days"], "runs"), &theirs["schedules"]),
        (0, &json!([]))
    );
    assert_eq!(
        read(&running, &customer, "?days=366").await["doors"],
        json!([])
    );
    for query in [
        "?days=0",
        "?days=367",
        "?timezone=Mars",
        "?schedule=x",
        "?status=failed",
    ] {
        let path = format!("/api/workspace/metrics{query}");
        assert_eq!(
            running.call(&admin, "GET", &path, None).await.0,
            400,
            "{query}"
        );
    }
}

/// Of a schedule: four backups read back in 100 to 400 ms, three restores that took 1, 2 and 9 seconds; a quota.
const PROOFS: &str = "
    INSERT INTO public.backup_schedules (id, tenant_id, name, cron_expression, backup_type)
    SELECT '00000000-0000-7000-8000-000000000001', t.id, 'Daily', '0 2 * * *', 'database'
    FROM public.rovodev_tenants t WHERE t.slug = 'default';
    INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, started_at, finished_at, manifest_key,
        size_bytes, new_bytes, schedule_id, checked_at, damage)
    SELECT s.tenant_id, 'b' || n, 'x', 'database', 'completed', now(), now(), 'x', 1000, 10 * n, s.id, now(),
        CASE WHEN n = 1 THEN '{\"objects\": 1, \"concerns\": [], \"examples\": []}'::jsonb END
    FROM public.backup_schedules s, generate_series(1, 4) n;
    INSERT INTO public.rovodev_read_backs (tenant_id, backup_id, held, leased_until, ended_at, milliseconds, bytes)
    SELECT b.tenant_id, b.id, false, now(), now(), 100 * right(b.name, 1)::integer, 7 FROM public.backups b;
    INSERT INTO public.restore_operations (tenant_id, backup_id, restore_type, status, started_at, completed_at)
    SELECT b.tenant_id, b.id, 'database', 'completed', now(), now() + took * interval '1 second'
    FROM public.backups b, unnest(ARRAY[1, 2, 9]) took WHERE b.name = 'b1';
    INSERT INTO public.rovodev_quotas (tenant_id, bytes) SELECT id, 5000 FROM public.rovodev_tenants WHERE slug = 'default'";

#[tokio::test(flavor = "multi_thread")]
async fn times_of_restores_and_of_reading_back_and_what_is_stored_are_told() {
    let running = Running::start_with(&[("METRICS_SECRET", SECRET.into())]).await;
    let admin = running.sign_in(Person::Admin).await;
    running.owner().await.batch_execute(PROOFS).await.unwrap();
    let told = read(&running, &admin, "?days=1").await;
    assert_eq!(told["storage"], json!({ "stored": 1000, "quota": 5000 }));
    for of in [&told["days"][0], &told["schedules"][0]] {
        let numbers = [
            "restores",
            "restoreP50Ms",
            "restoreP95Ms",
            "readBacks",
            "readBackP50Ms",
            "readBackP95Ms",
        ];
        let numbers = numbers.map(|name| of[name].as_u64().unwrap());
        assert_eq!(numbers, [3, 2000, 8300, 4, 250, 385], "{of}");
    }
    let customer = running.sign_in(Person::Customer).await;
    let theirs = read(&running, &customer, "?days=1").await;
    assert_eq!(theirs["storage"], json!({ "stored": 0, "quota": null }));
    assert_eq!(theirs["days"][0]["readBacks"], 0);
    let path = "/api/status/health?format=openmetrics";
    let answer = running.request("GET", path).bearer_auth(SECRET);
    let samples = samples(&answer.send().await.unwrap().text().await.unwrap());
    assert_eq!(samples[r#"rovodev_stored_bytes{tenant="default"}"#], 1000.0);
    assert_eq!(samples[r#"rovodev_quota_bytes{tenant="default"}"#], 5000.0);
    assert_eq!(samples[r#"rovodev_damaged_backups{tenant="default"}"#], 1.0);
    let lasted = |work: &str, quantile: &str| {
        let labels = format!(r#"tenant="default",work="{work}",quantile="{quantile}""#);
        samples[&format!("rovodev_work_duration_seconds{{{labels}}}")]
    };
    assert_eq!(
        (lasted("read_back", "0.5"), lasted("restore", "0.5")),
        (0.25, 2.0)
    );
    assert!((lasted("restore", "0.95") - 8.3).abs() < 1e-9);
}

/// No limit is asserted: what it takes is printed, for the promise of 100 ms over 10,000 backups.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_backups_are_read_in_one_request() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let owner = running.owner().await;
    owner.batch_execute(YEAR).await.unwrap();
    owner.batch_execute("ANALYZE public.backups").await.unwrap();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..15 {
        let began = Instant::now();
        read(&running, &admin, "?days=366").await;
        times.push(began.elapsed());
    }
    times.sort();
    println!(
        "metrics of 366 days over 10,000 backups: {:?} (median)",
        times[7]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scraper_reads_openmetrics_with_its_secret_alone() {
    let running = Running::start_with(&[("METRICS_SECRET", SECRET.into())]).await;
    let admin = running.sign_in(Person::Admin).await;
    let awkward = json!({ "name": "say \"hi\"", "cron": "0 2 * * *", "type": "config" });
    running.scheduled(&admin, awkward).await;
    running.backed_up(&admin, json!({ "type": "config" })).await;
    let path = "/api/status/health?format=openmetrics";
    for wrong in ["", "short", &admin, &format!("{SECRET}x")] {
        let (status, told) = running.call(wrong, "GET", path, None).await;
        assert_eq!((status, &told["code"]), (401, &json!("metrics_secret")));
    }
    let answer = running
        .request("GET", path)
        .bearer_auth(SECRET)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_string();
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    let samples = samples(&text);
    assert_eq!(
        samples[r#"rovodev_backups{tenant="default",status="completed"}"#],
        1.0
    );
    let name = r#"name="say \"hi\"""#;
    assert!(
        samples
            .keys()
            .any(|k| k.starts_with("rovodev_schedule_overdue_seconds{") && k.contains(name)),
        "{text}"
    );
    assert_eq!(samples[r#"rovodev_jobs{state="running"}"#], 0.0);
    assert!(
        samples.contains_key(r#"rovodev_last_success_timestamp_seconds{tenant="default"}"#),
        "{text}"
    );
}

/// Samples by name and labels, of a text that keeps the rules of OpenMetrics 1.0 for gauges: families come in one piece, each
/// described before its samples, units end names, and the text ends with its mark.
fn samples(text: &str) -> std::collections::BTreeMap<String, f64> {
    let sample = regex::Regex::new(
        r#"^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[0-9.e+-]+)$"#,
    )
    .unwrap();
    let body = text.strip_suffix("# EOF\n").expect("ends with its mark");
    let (mut found, mut family, mut seen) =
        (std::collections::BTreeMap::new(), String::new(), Vec::new());
    for line in body.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let words: Vec<&str> = described.splitn(3, ' ').collect();
            if words[1] != family {
                family = words[1].to_string();
                assert!(!seen.contains(&family), "{family} comes twice");
                seen.push(family.clone());
            }
            match words[0] {
                "TYPE" => assert_eq!(words[2], "gauge", "{line}"),
                "UNIT" => assert!(family.ends_with(&format!("_{}", words[2])), "{line}"),
                "HELP" => {}
                _ => panic!("{line}"),
            }
            continue;
        }
        let parts = sample.captures(line).unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(&parts[1], family, "{line}");
        let key = format!("{}{}", &parts[1], parts.get(2).map_or("", |l| l.as_str()));
        assert!(
            found.insert(key, parts[3].parse().unwrap()).is_none(),
            "{line} comes twice"
        );
    }
    found
}
