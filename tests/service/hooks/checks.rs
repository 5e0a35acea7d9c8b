//! Deployments that wait: the check opens, and always ends.

use super::vercel::{Api, Trouble, created, deliver};
use crate::schedules::claims::catalog;
use crate::stack::{CRON_SECRET, Person, Running};
use axum::http::Method;
use rovodev::config::Settings;
use rovodev::ports::catalog::Catalog;
use rovodev::tasks::cataloged::Asked;
use rovodev::tasks::deployments::{AppVersion, Begun, Delivery, receive_deployment};
use rovodev::tasks::jobs::{Workshop, work_on};
use serde_json::{Value, json};

/// Every backup that is asked for fails: it chooses a schema that is not there.
const BROKEN: &str = "CREATE FUNCTION rovodev.broken() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN NEW.selection := '{\"schemas\": [\"nowhere\"]}'; RETURN NEW; END $$; \
     CREATE TRIGGER broken BEFORE INSERT ON public.backups FOR EACH ROW EXECUTE FUNCTION rovodev.broken()";

async fn prepared(gate: Value) -> (Api, Running, String) {
    let api = Api::start().await;
    let running = Running::start_with(&api.settings()).await;
    let admin = running.sign_in(Person::Admin).await;
    let mut schedule = json!({ "name": "Pre-Deploy", "trigger": "deploy", "type": "database" });
    for (name, value) in gate.as_object().unwrap() {
        schedule[name] = value.clone();
    }
    running.scheduled(&admin, schedule).await;
    (api, running, admin)
}

async fn tick(running: &Running) {
    let (status, told) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!(status, 200, "{told}");
}

/// The delivery of a deployment, whose backups nobody works on yet.
async fn received(catalog: &Catalog) -> Begun {
    let delivery = Delivery {
        id: "del_1",
        begins: true,
        holds: true,
        address: None,
    };
    let version = AppVersion {
        deployment: Some("dpl_1".into()),
        ..AppVersion::default()
    };
    let begun = receive_deployment(catalog, delivery, &version).await;
    match begun.unwrap() {
        Asked::Done(begun) => begun,
        refused => panic!("{refused:?}"),
    }
}

/// What was claimed and not done is due at once, as a minute later.
async fn a_minute_later(running: &Running) {
    let sql = "UPDATE public.rovodev_deploy_checks SET next_try_at = now() - interval '1 second'; \
         UPDATE public.rovodev_read_backs SET leased_until = now() WHERE ended_at IS NULL";
    running.owner().await.batch_execute(sql).await.unwrap();
}

async fn one(running: &Running, sql: &str) -> Option<String> {
    let row = running.owner().await.query_one(sql, &[]).await.unwrap();
    row.get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_for_its_backup_and_goes_on() {
    let (api, running, _) = prepared(json!({ "gate": "backup" })).await;
    let (status, told) = deliver(&running, &created("del_1", "dpl_1")).await;
    assert_eq!(
        (status, told["backups"].as_array().unwrap().len()),
        (202, 1)
    );
    api.ends("dpl_1", "succeeded").await;
    assert_eq!(api.held("dpl_1").len(), 1);
    let opened = |c: &&(Method, String)| c.0 == Method::POST;
    assert_eq!(api.book().calls.iter().filter(opened).count(), 1);
    // A run that Vercel begins afterwards ends too, also while whoever ended the first has not noted that yet.
    let run = json!({ "id": "run_late", "checkId": "chk_1", "status": "queued" });
    api.book().runs.get_mut("dpl_1").unwrap().push(run);
    let mut started = created("del_2", "dpl_1");
    started["type"] = json!("deployment.checkrun.start");
    started["payload"]["target"] = Value::Null;
    assert_eq!(deliver(&running, &started).await.0, 202);
    api.ends("dpl_1", "succeeded").await;
    assert_eq!(api.held("dpl_1").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checked_gate_reads_everything_back() {
    let (api, running, _) = prepared(json!({ "gate": "checked" })).await;
    assert_eq!(deliver(&running, &created("del_1", "dpl_1")).await.0, 202);
    api.ends("dpl_1", "succeeded").await;
    let checked = "SELECT checked_at::text FROM public.backups";
    assert!(one(&running, checked).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_damaged_does_not_pass_for_checked() {
    let (api, running, _) = prepared(json!({ "gate": "checked" })).await;
    let catalog = catalog(&running);
    let begun = received(&catalog).await;
    // Whoever takes it knows no Vercel; the tick does.
    let known = running.variables.iter().cloned();
    let alone = Settings::of(known.filter(|(name, _)| *name != "VERCEL_TOKEN"));
    let workshop = Workshop::new(&alone, catalog, None).unwrap();
    let store = workshop.store().clone();
    work_on(workshop, begun.backups[0].job_id).await;
    let segments = store.list("segments/").await.unwrap();
    let key = &segments[0].key;
    store.put_replace(key, "rotten".into()).await.unwrap();
    tick(&running).await;
    api.ends("dpl_1", "failed").await;
    let reason = one(&running, "SELECT reason FROM public.rovodev_deploy_checks").await;
    assert!(reason.unwrap().contains("is damaged"));
}

/// It dies while it tells Vercel of a backup that is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_tick_ends_what_a_dead_function_left() {
    for gate in ["backup", "checked"] {
        let (api, running, _) = prepared(json!({ "gate": gate })).await;
        let settings = Settings::of(running.variables.clone());
        let catalog = catalog(&running);
        let begun = received(&catalog).await;
        api.book().trouble = Trouble::Hang;
        let workshop = Workshop::new(&settings, catalog, None).unwrap();
        let work = tokio::spawn(work_on(workshop, begun.backups[0].job_id));
        while api.book().calls.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
        let status = "SELECT status::text FROM public.backups";
        assert_eq!(one(&running, status).await.as_deref(), Some("completed"));
        api.book().trouble = Trouble::None;
        a_minute_later(&running).await;
        tick(&running).await;
        api.ends("dpl_1", "succeeded").await;
        let checked = "SELECT checked_at::text FROM public.backups";
        assert!(gate == "backup" || one(&running, checked).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vercels_api_may_break_for_a_while() {
    for trouble in [
        Trouble::Status(500),
        Trouble::Status(429),
        Trouble::Status(403),
    ] {
        let (api, running, admin) = prepared(json!({ "gate": "backup" })).await;
        api.book().trouble = trouble;
        let (_, told) = deliver(&running, &created("del_1", "dpl_1")).await;
        let id = told["backups"][0]["id"].as_str().unwrap();
        let status = format!("/api/backups/{id}/restore/status");
        // The backup is taken all the same.
        assert_eq!(running.ended(&admin, &status).await["status"], "completed");
        for _ in 0..2 {
            a_minute_later(&running).await;
            tick(&running).await;
        }
        api.book().trouble = Trouble::None;
        a_minute_later(&running).await;
        tick(&running).await;
        api.ends("dpl_1", "succeeded").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_blocks_or_lets_through_as_set() {
    for (on_failure, conclusion) in [("block", "failed"), ("allow", "neutral")] {
        let (api, running, _) =
            prepared(json!({ "gate": "backup", "onFailure": on_failure })).await;
        running
            .superuser()
            .await
            .batch_execute(BROKEN)
            .await
            .unwrap();
        assert_eq!(deliver(&running, &created("del_1", "dpl_1")).await.0, 202);
        api.ends("dpl_1", conclusion).await;
        let reason = one(&running, "SELECT reason FROM public.rovodev_deploy_checks").await;
        assert!(reason.unwrap().contains("was not taken: failed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_slow_ends_at_its_deadline() {
    let (api, running, _) = prepared(json!({ "gate": "backup", "waitAtMost": 1 })).await;
    // Nobody may work: as many are held as may be.
    let busy = "CREATE OR REPLACE FUNCTION public.rovodev_take_job(worker text, seconds integer, job_id uuid DEFAULT NULL, \
         long boolean DEFAULT false, most integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$ SELECT NULL::jsonb $$";
    running.owner().await.batch_execute(busy).await.unwrap();
    assert_eq!(deliver(&running, &created("del_1", "dpl_1")).await.0, 202);
    tick(&running).await;
    let late = "UPDATE public.rovodev_deploy_gates SET deadline = now() - interval '1 second'";
    running.owner().await.batch_execute(late).await.unwrap();
    a_minute_later(&running).await;
    tick(&running).await;
    api.ends("dpl_1", "failed").await;
    let reason = one(&running, "SELECT reason FROM public.rovodev_deploy_checks").await;
    assert!(reason.unwrap().contains("was not there in time"));
}

/// Until nobody is to be told of a check any more.
async fn over(running: &Running) {
    let sql = "SELECT min(reason) FROM public.rovodev_deploy_checks WHERE ended_at IS NOT NULL";
    for _ in 0..100 {
        if one(running, sql).await.is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nobody gave it up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_gone_is_given_up() {
    let (_api, running, _) = prepared(json!({ "gate": "backup" })).await;
    let (status, _) = deliver(&running, &created("del_1", "dpl_gone")).await;
    assert_eq!(status, 202);
    over(&running).await;
}

/// Giving up is no verdict: somebody makes the check, and Vercel asks.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_decided_when_vercel_asks() {
    let (api, running, _) = prepared(json!({ "gate": "backup" })).await;
    running
        .superuser()
        .await
        .batch_execute(BROKEN)
        .await
        .unwrap();
    let checks = std::mem::take(&mut api.book().checks);
    assert_eq!(deliver(&running, &created("del_1", "dpl_1")).await.0, 202);
    over(&running).await;
    api.book().checks = checks;
    let run = json!({ "id": "run_1", "checkId": "chk_1", "status": "queued" });
    api.book().runs.insert("dpl_1".into(), vec![run]);
    let mut started = created("del_2", "dpl_1");
    started["type"] = json!("deployment.checkrun.start");
    assert_eq!(deliver(&running, &started).await.0, 202);
    api.ends("dpl_1", "failed").await;
}
