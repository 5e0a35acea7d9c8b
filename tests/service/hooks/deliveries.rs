//! Which deliveries count, and that each does once.

use super::vercel::{Api, WEBHOOK_SECRET, created, deliver, send, signature};
use crate::stack::{Person, Running};
use serde_json::{Value, json};

async fn prepared() -> (Api, Running, String) {
    let api = Api::start().await;
    let running = Running::start_with(&api.settings()).await;
    let admin = running.sign_in(Person::Admin).await;
    let schedule = json!({ "name": "Pre-Deploy", "trigger": "deploy", "type": "config" });
    running.scheduled(&admin, schedule).await;
    (api, running, admin)
}

async fn taken(running: &Running, admin: &str) -> Value {
    let path = "/api/backups/list?trigger=deploy";
    running.call(admin, "GET", path, None).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_backed_up_once_however_often_it_is_told() {
    let (_api, running, admin) = prepared().await;
    // A customer's schedule, and one that is off, are not Vercel's business.
    let customer = running.sign_in(Person::Customer).await;
    let foreign = json!({ "name": "Mine", "trigger": "deploy" });
    running.scheduled(&customer, foreign).await;
    let off = json!({ "name": "Off", "trigger": "deploy", "enabled": false });
    running.scheduled(&admin, off).await;

    let event = created("del_1", "dpl_1");
    let deliveries = (0..6).map(|_| deliver(&running, &event));
    let told = futures_util::future::join_all(deliveries).await;
    assert!(told.iter().all(|(status, _)| *status == 202), "{told:?}");
    let begun = told.iter().filter(|(_, t)| t["replayed"] == false).count();
    assert_eq!(begun, 1, "{told:?}");
    // Another delivery about the same deployment.
    let (status, again) = deliver(&running, &created("del_2", "dpl_1")).await;
    assert_eq!((status, &again["backups"]), (202, &json!([])));

    let listed = taken(&running, &admin).await;
    assert_eq!(listed["total"], 1, "{listed}");
    let id = listed["backups"][0]["id"].as_str().unwrap();
    let status = format!("/api/backups/{id}/restore/status");
    assert_eq!(running.ended(&admin, &status).await["status"], "completed");
    let details = format!("/api/backups/{id}/details");
    let (_, details) = running.call(&admin, "GET", &details, None).await;
    let expected = json!({ "deployment": "dpl_1", "commit": "c0ffee", "ref": "main", "url": "app-1.vercel.app" });
    assert_eq!(details["appVersion"], expected);
    assert_eq!(running.audited("schedule.run").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_vercels_word_begins_nothing() {
    let (_api, running, admin) = prepared().await;
    let body = created("del_1", "dpl_1").to_string();
    let good = signature(&body, WEBHOOK_SECRET);
    let other_byte = body.replace("dpl_1", "dpl_2");
    let upper = good.to_uppercase();
    let other_secret = signature(&body, "another secret");
    for (body, shown) in [
        (&other_byte, good.as_str()),
        (&body, &other_secret),
        (&body, ""),
        (&body, &good[..39]),
        (&body, &upper),
        (&body, "zz"),
    ] {
        let (status, told) = send(&running, body.clone(), shown).await;
        assert_eq!(
            (status, &told["code"]),
            (401, &json!("bad_signature")),
            "{shown}"
        );
    }
    let mut old = created("del_2", "dpl_1");
    old["createdAt"] = json!(chrono::Utc::now().timestamp_millis() - 26 * 3600 * 1000);
    let (status, told) = deliver(&running, &old).await;
    assert_eq!((status, &told["code"]), (400, &json!("stale_delivery")));
    for (part, code) in [
        ("id", "bad_field"),
        ("createdAt", "bad_field"),
        ("payload", "bad_field"),
    ] {
        let mut event = created("del_3", "dpl_1");
        event[part] = json!([]);
        let (status, told) = deliver(&running, &event).await;
        assert_eq!((status, &told["code"]), (400, &json!(code)), "{part}");
    }
    let broken = "{".to_string();
    let signed = signature(&broken, WEBHOOK_SECRET);
    assert_eq!(send(&running, broken, &signed).await.0, 400);

    // Vercel's word about something else.
    let mut others = vec![created("del_4", "dpl_1"); 5];
    others[0]["payload"]["project"]["id"] = json!("prj_another");
    others[1]["payload"]["target"] = Value::Null;
    others[2]["type"] = json!("deployment.ready");
    others[3]["payload"]["deployment"]["id"] = json!("../../v1/secrets");
    others[4]["type"] = json!("deployment.checkrun.start");
    for event in others {
        let (status, told) = deliver(&running, &event).await;
        assert_eq!((status, &told["backups"]), (202, &json!([])), "{event}");
    }
    assert_eq!(taken(&running, &admin).await["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_forgotten_after_two_days_and_floods_stopped() {
    let (_api, running, _admin) = prepared().await;
    let owner = running.owner().await;
    let many = "INSERT INTO public.rovodev_webhook_deliveries (source, delivery, received_at) \
         SELECT 'vercel', 'old' || n, now() - interval '49 hours' FROM generate_series(1, 50) n";
    owner.execute(many, &[]).await.unwrap();
    assert_eq!(deliver(&running, &created("del_1", "dpl_1")).await.0, 202);
    let count = "SELECT count(*) FROM public.rovodev_webhook_deliveries";
    let kept: i64 = owner.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(kept, 1);
    let flood = "INSERT INTO public.rovodev_webhook_deliveries (source, delivery) \
         SELECT 'vercel', 'new' || n FROM generate_series(1, 120) n";
    owner.execute(flood, &[]).await.unwrap();
    let (status, told) = deliver(&running, &created("del_2", "dpl_2")).await;
    assert_eq!((status, &told["code"]), (429, &json!("rate_limited")));
}
