//! Parts that refuse, hang, and break off, each alone: what every function answers meanwhile, and afterwards.

mod broken;

use crate::proxy::Cut;
use crate::stack::{Person, Running};
use broken::{Broken, Part, Told};
use http_body_util::BodyExt;
use rovodev::http::Body;
use serde_json::json;
use std::time::Duration;

use Part::{Catalog, SignIn, Source, Store};

/// How a line breaks. `None`: nobody listens any more.
const FAULTS: [Option<Cut>; 4] = [
    None,
    Some(Cut::Silence),
    Some(Cut::Answer),
    Some(Cut::Middle),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store() {
    let broken = Broken::start().await;
    for fault in FAULTS {
        broken.breaks(Store, fault).await;
        told_as_it_is(&broken, &[Store], "store_unreachable", fault).await;
        broken.mend().await;
        all_is_well(&broken, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_source() {
    let broken = Broken::start().await;
    for fault in FAULTS {
        broken.breaks(Source, fault).await;
        told_as_it_is(&broken, &[Source], "", fault).await;
        broken.mend().await;
        all_is_well(&broken, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_catalog() {
    let broken = Broken::start().await;
    for fault in &FAULTS[1..] {
        broken.breaks(Catalog, *fault).await;
        told_as_it_is(&broken, &[Catalog], "catalog_unreachable", *fault).await;
        broken.mend().await;
        all_is_well(&broken, *fault).await;
    }
    // The whole project: its keys are known for a while.
    broken.breaks(Catalog, None).await;
    let both = [Catalog, SignIn];
    let remembered = [Catalog];
    for call in broken.calls() {
        let told = broken.ask(&call).await;
        let fails = call.needs.iter().any(|part| remembered.contains(part));
        assert_eq!(told.status == 503, fails, "{}: {told:?}", call.name);
    }
    health_names(&broken, &both).await;
    broken.mend().await;
    all_is_well(&broken, None).await;
}

/// Nobody's keys are known at first: a process that just began.
#[tokio::test(flavor = "multi_thread")]
async fn without_sign_in() {
    let mut broken = Broken::start().await;
    for fault in &FAULTS[1..] {
        broken.begin_anew();
        broken.breaks(SignIn, *fault).await;
        told_as_it_is(&broken, &[SignIn], "auth_unreachable", *fault).await;
        let health = broken.health().await;
        health.is_down("auth_unreachable");
        broken.mend().await;
        broken.until_recognised().await;
        all_is_well(&broken, *fault).await;
        // Keys that are known outlast the issuer.
        broken.breaks(SignIn, *fault).await;
        for call in broken.calls() {
            let told = broken.ask(&call).await;
            assert_eq!(told.status, call.status, "{}: {told:?}", call.name);
        }
        health_names(&broken, &[SignIn]).await;
        broken.mend().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_parts_that_take_their_time() {
    let broken = Broken::start().await;
    for part in [Store, Source, Catalog, SignIn] {
        let late = Cut::Late(Duration::from_millis(1200));
        broken.breaks(part, Some(late)).await;
        for call in broken.calls() {
            let told = broken.ask(&call).await;
            assert_eq!(told.status, call.status, "{} {part:?}: {told:?}", call.name);
        }
        broken.mend().await;
    }
}

/// It says what it knows in time, and claims what is due behind its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_catalog_is_slow_goes_on_behind_its_answer() {
    let broken = Broken::start().await;
    let running = &broken.running;
    let admin = running.sign_in(Person::Admin).await;
    let daily = json!({ "name": "Nightly", "cron": "0 2 * * *", "type": "database" });
    running.scheduled(&admin, daily).await;
    let due = "UPDATE public.backup_schedules SET next_run_at = now() - interval '1 hour'";
    running.superuser().await.batch_execute(due).await.unwrap();
    let late = Cut::Late(Duration::from_millis(1200));
    broken.breaks(Catalog, Some(late)).await;
    let told = broken.ask(&broken.call("tick")).await;
    let known = (told.status, &told.body["overdue"], &told.body["claimed"]);
    assert_eq!(known, (200, &json!(0), &json!(null)), "{told:?}");
    broken.mend().await;
    let path = "/api/backups/list?trigger=scheduled";
    for _ in 0..600 {
        let (_, listed) = running.call(&admin, "GET", path, None).await;
        if listed["backups"][0]["status"] == "completed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("what was due was not taken");
}

/// Whoever asks is told that it is not his fault, and no row says that something goes on.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_setting_nothing_is_begun() {
    let mut broken = Broken::start().await;
    let begun = broken.begun().await;
    for setting in ["DATABASE_URL", "BACKUP_STORE"] {
        broken.begin_without(setting);
        for call in broken.calls() {
            if matches!(call.name, "create" | "preview" | "tick") {
                let told = broken.ask(&call).await;
                assert_eq!(told.status, 500, "{} {setting}: {told:?}", call.name);
                let text = told.body.to_string();
                assert!(!text.contains("127.0.0.1"), "{text}");
            }
        }
        assert_eq!(broken.begun().await, begun, "{setting}");
        let health = broken.health().await;
        assert_eq!(
            health.body["config"]["missing"],
            json!([setting]),
            "{health:?}"
        );
    }
    broken.begin_anew();
    all_is_well(&broken, None).await;
}

/// A stream outlasts it, and tells what changed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_when_the_catalog_is_back() {
    let broken = Broken::start().await;
    broken.reopen().await;
    let mut events = broken.watched().await;
    told_in(&mut events, "\"status\":\"in_progress\"").await;
    broken.breaks(Catalog, Some(Cut::Answer)).await;
    broken.progresses(7).await;
    let asked = broken.catalog_asked();
    while broken.catalog_asked() < asked + 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    broken.mend().await;
    told_in(&mut events, "\"current\":7").await;
}

async fn told_in(events: &mut Body, words: &str) {
    let told = async {
        loop {
            let frame = events.frame().await.expect("more events").unwrap();
            let text = frame.into_data().unwrap();
            if String::from_utf8_lossy(&text).contains(words) {
                return;
            }
        }
    };
    let guarded = tokio::time::timeout(Duration::from_secs(60), told).await;
    guarded.unwrap_or_else(|_| panic!("{words} is never told"));
}

/// Both in one server, as on Supabase, which comes back with every session lost.
#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_under_catalog_and_source() {
    let mut running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    for _ in 0..2 {
        let (status, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
        assert_eq!(status, 200, "{list}");
        running.stack.postgres.stop_immediate();
        let (status, told) = running.call(&admin, "GET", "/api/backups/list", None).await;
        assert_eq!(
            (status, &told["code"]),
            (503, &json!("catalog_unreachable"))
        );
        let create = Some(json!({ "type": "database" }));
        let (status, told) = running
            .call(&admin, "POST", "/api/backups/create", create)
            .await;
        assert_eq!(
            (status, &told["code"]),
            (503, &json!("catalog_unreachable"))
        );
        running.stack.postgres.restart().await.unwrap();
        until_served(&running, &admin).await;
        running
            .backed_up(&admin, json!({ "type": "database" }))
            .await;
    }
}

/// PostgREST may need a moment to find its database again.
async fn until_served(running: &Running, token: &str) {
    for _ in 0..100 {
        let (status, told) = running.call(token, "GET", "/api/backups/list", None).await;
        match status {
            200 => return,
            _ => assert_eq!(status, 503, "{told}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the list does not come back");
}

/// Whoever needs the part is told so, and when to come again; everybody else is served.
async fn told_as_it_is(broken: &Broken, down: &[Part], code: &str, fault: Option<Cut>) {
    let calls = broken.calls();
    let asked = calls.iter().map(|call| broken.ask(call));
    let told = futures_util::future::join_all(asked).await;
    for (call, told) in calls.iter().zip(&told) {
        let needed = call.needs.iter().any(|part| down.contains(part));
        match needed {
            true => told.is_down(code),
            false => assert_eq!(
                told.status, call.status,
                "{} {fault:?}: {told:?}",
                call.name
            ),
        }
        broken.tells_no_secret(told);
    }
    if !down.contains(&SignIn) {
        health_names(broken, down).await;
    }
}

async fn health_names(broken: &Broken, down: &[Part]) {
    let health = broken
        .health_once(|told| {
            let parts = [Store, Source, Catalog, SignIn];
            parts
                .iter()
                .all(|part| told.is_well(*part) != down.contains(part))
        })
        .await;
    assert_eq!(health.body["healthy"], json!(false), "{health:?}");
    for part in [Store, Source, Catalog, SignIn] {
        assert_eq!(
            health.is_well(part),
            !down.contains(&part),
            "{part:?}: {health:?}"
        );
    }
    broken.tells_no_secret(&health);
}

/// The same process serves everything again.
async fn all_is_well(broken: &Broken, fault: Option<Cut>) {
    for call in broken.calls() {
        let told = broken.ask(&call).await;
        assert_eq!(
            told.status, call.status,
            "{} after {fault:?}: {told:?}",
            call.name
        );
    }
    let health: Told = broken
        .health_once(|told| told.body["healthy"] == json!(true))
        .await;
    assert_eq!(health.status, 200, "{health:?}");
}

/// A part is silent for far longer than health may take: what it answers by then does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn health_answers_long_before_a_part_that_hangs() {
    const HANGS: Duration = Duration::from_secs(20);
    let broken = Broken::start().await;
    // The caller is known by now.
    broken
        .health_once(|told| told.body["healthy"] == json!(true))
        .await;
    for part in [Store, Source, Catalog, SignIn] {
        broken.breaks(part, Some(Cut::Late(HANGS))).await;
        // Past what is told of a look of a moment ago.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let asked = std::time::Instant::now();
        let told = broken.health().await;
        let took = asked.elapsed();
        assert!(took < HANGS / 4, "{part:?}: {took:?}");
        assert_eq!((told.status, told.is_well(part)), (200, false), "{told:?}");
        broken.mend().await;
    }
}
