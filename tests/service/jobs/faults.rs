//! Jobs that meet parts which are down, break off or hang.

use super::lines::Lines;
use super::workplace::{Workplace, catalog, workshop};
use crate::proxy::{Cut, Proxy};
use local::demo;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{Workshop, work, work_off, work_on};
use std::time::{Duration, Instant};

/// A worker of this process, over the lines; the next one sees them whole.
async fn over(lines: &Lines) -> rovodev::error::Result<usize> {
    work_off(&workshop(lines.settings()), &Context::default()).await
}

async fn tick(place: &Workplace, lines: &Lines) {
    lines.mend().await;
    place.time_passes().await;
    over(lines).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_what_is_down_and_is_completed() {
    let place = Workplace::start().await;
    let lines = Lines::of(&place).await;
    for (line, code) in [
        (&lines.store, "store_unreachable"),
        (&lines.source, "database_unreachable"),
    ] {
        let asked = place.ask_for_backup().await;
        line.refuse().await;
        over(&lines).await.unwrap();
        let row = place.row("backups", asked.id).await;
        assert_eq!(row["status"], "pending", "{row}");
        let error = place.last_error(asked.id).await.unwrap();
        assert!(error.contains(code), "{error}");
        tick(&place, &lines).await;
        let row = place.row("backups", asked.id).await;
        assert_eq!(row["status"], "completed", "{row}");
        assert_eq!(place.told(asked.id, "done").await, 1);
        place.assert_store_and_catalog_agree().await;
    }
    let asked = place.ask_for_backup().await;
    lines.catalog.refuse().await;
    let error = over(&lines).await.unwrap_err();
    assert_eq!(error.code, Code::CatalogUnreachable);
    tick(&place, &lines).await;
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["status"], "completed", "{row}");
}

/// What of which line breaks while a job is at work.
fn breaks_midway<'a>(lines: &'a Lines, word: &'static str) -> (&'a Proxy, Cut) {
    let (line, cut) = match word {
        "COPY" => (&lines.source, Cut::Middle),
        "/segments/" => (&lines.store, Cut::Answer),
        _ => (&lines.catalog, Cut::Answer),
    };
    line.now(move |request, _| match request.contains(word) {
        true => cut,
        false => Cut::Nothing,
    });
    (line, cut)
}

const MIDWAY: [&str; 4] = ["COPY", "/segments/", "rovodev_renew_job", "rovodev_end_job"];

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_broke_midway_is_completed_by_the_next_tick() {
    let place = Workplace::start().await;
    let lines = Lines::of(&place).await;
    for word in MIDWAY {
        let asked = place.ask_for_backup().await;
        breaks_midway(&lines, word);
        over(&lines).await.unwrap();
        let row = place.row("backups", asked.id).await;
        // The catalog heard of the end, though nobody heard of that; and progress need not be told.
        assert_eq!(
            row["status"] == "completed",
            word.starts_with("rovodev_"),
            "{word}: {row}"
        );
        tick(&place, &lines).await;
        let row = place.row("backups", asked.id).await;
        let error = place.last_error(asked.id).await;
        assert_eq!(row["status"], "completed", "{word}: {error:?}");
        assert_eq!(place.told(asked.id, "done").await, 1, "{word}");
        place.assert_store_and_catalog_agree().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_broke_midway_leaves_the_old_rows_until_it_has_the_new_ones() {
    let mut place = Workplace::start().await;
    let lines = Lines::of(&place).await;
    let backup = place.ask_for_backup().await.id;
    over(&lines).await.unwrap();
    let before = place.contents().await;
    for word in MIDWAY {
        demo::damage(&mut place.owner).await.unwrap();
        let damaged = place.contents().await;
        let asked = place.ask_for_restore(backup).await;
        breaks_midway(&lines, word);
        over(&lines).await.unwrap();
        let now = place.contents().await;
        assert!(
            now == damaged || now == before,
            "{word}: neither old nor new"
        );
        tick(&place, &lines).await;
        let row = place.row("restore_operations", asked.operation_id).await;
        assert_eq!(row["status"], "completed", "{word}: {row}");
        assert_eq!(place.contents().await, before, "{word}");
        assert_eq!(place.told(asked.operation_id, "done").await, 1, "{word}");
        place.assert_store_and_catalog_agree().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_hangs_is_left_at_the_deadline_for_a_worker() {
    let place = Workplace::start().await;
    let lines = Lines::of(&place).await;
    let asked = place.ask_for_backup().await;
    lines
        .source
        .now(|request, _| match request.contains("COPY") {
            true => Cut::Silence,
            false => Cut::Nothing,
        });
    let settings = lines.settings();
    let deadline = Instant::now() + Duration::from_secs(3);
    let function = Workshop::new(settings, catalog(settings), Some(deadline)).unwrap();
    work_on(function, asked.job_id).await;
    let row = place.row("backups", asked.id).await;
    assert_eq!(
        (&row["status"], &row["error_message"]),
        (&"pending".into(), &().into()),
        "{row}"
    );
    assert_eq!(place.job(asked.job_id).await["queue"], "rovodev_long_jobs");
    lines.mend().await;
    let worker = Workshop::new(settings, catalog(settings), None).unwrap();
    let worked = work(&Context::default(), &worker, 1, true).await.unwrap();
    assert_eq!(worked.completed, 1, "{worked:?}");
    assert_eq!(place.row("backups", asked.id).await["status"], "completed");
    place.assert_store_and_catalog_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_down_ends_the_job_with_its_reason_and_no_secret() {
    let place = Workplace::start().await;
    let lines = Lines::of(&place).await;
    let asked = place.ask_for_backup().await;
    lines.source.refuse().await;
    for _ in 0..6 {
        over(&lines).await.unwrap();
        place.time_passes().await;
    }
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["status"], "failed", "{row}");
    assert_eq!(row["error_code"], "database_unreachable", "{row}");
    let message = row["error_message"].as_str().unwrap();
    assert!(
        message.contains("5 attempts") && message.contains("127.0.0.1"),
        "{message}"
    );
    let (job, log) = (
        place.job(asked.job_id).await,
        place.audit_of(asked.id).await,
    );
    let told = format!("{row} {job} {log}");
    for (name, value) in &place.variables {
        let secret = match *name {
            "DATABASE_URL" => value.split(['@', ':']).nth(2).unwrap(),
            "STORE_KEY" | "AWS_SECRET_ACCESS_KEY" | "SUPABASE_SECRET_KEY" | "CRON_SECRET" => value,
            _ => continue,
        };
        assert!(!told.contains(secret), "{name} is told: {told}");
    }
}
