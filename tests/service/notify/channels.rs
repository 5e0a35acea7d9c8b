//! Channels over HTTP: what they lead to is never shown, and never private.

use super::receiver::{Manner, Receiver, reaching};
use crate::stack::{Person, Running};
use serde_json::{Value, json};

const PATH: &str = "/api/workspace/channels";

fn wanted(kind: &str, target: &str) -> Value {
    json!({ "kind": kind, "name": "n", "target": target, "events": ["backup.succeeded"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_shown_changed_and_deleted() {
    let running = Running::start().await;
    let admin = running.admin().await;
    let target = "https://user-of.example.com:8443/T0/s3cret?token=s3cret";
    let (id, made) = running.channel(&admin, wanted("webhook", target)).await;
    let secret = made["secret"].as_str().unwrap().to_string();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{made}");
    let (status, listed) = running.call(&admin, "GET", PATH, None).await;
    assert_eq!(status, 200, "{listed}");
    let shown = &listed["channels"][0];
    assert_eq!(
        (&shown["id"], &shown["target"]),
        (&json!(id), &json!("user-of.example.com:8443"))
    );
    let path = format!("{PATH}?id={id}");
    let (_, one) = running.call(&admin, "GET", &path, None).await;
    assert_eq!(&one, shown);
    let kinds = listed["kinds"].as_array().unwrap();
    let possible =
        |kind: &str| kinds.iter().find(|k| k["kind"] == kind).unwrap()["available"].clone();
    assert_eq!(
        (possible("webhook"), possible("email"), possible("push")),
        (json!(true), json!(false), json!(false))
    );

    let change = json!({ "name": "Other", "events": ["restore.done", "restore.failed"], "target": "https://example.net/s3cret" });
    let (status, changed) = running.call(&admin, "PATCH", &path, Some(change)).await;
    assert_eq!(
        (status, &changed["secret"]),
        (200, &Value::Null),
        "{changed}"
    );
    assert_eq!(changed["channel"]["target"], "example.net");
    let (_, renewed) = running
        .call(&admin, "PATCH", &path, Some(json!({ "newSecret": true })))
        .await;
    assert!(
        renewed["secret"].as_str().is_some_and(|s| s != secret),
        "{renewed}"
    );
    assert_eq!(running.call(&admin, "DELETE", &path, None).await.0, 204);
    assert_eq!(running.call(&admin, "GET", &path, None).await.0, 404);
    let (_, log) = running
        .call(&admin, "GET", "/api/workspace/activity?q=admin", None)
        .await;
    for seen in [listed, one, changed, log.clone()] {
        assert!(!seen.to_string().contains("s3cret"), "{seen}");
        assert!(!seen.to_string().contains(&secret), "{seen}");
    }
    let actions: Vec<_> = log["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "channel.delete",
            "channel.change",
            "channel.change",
            "channel.create"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_nowhere_good_is_refused() {
    let running = Running::start().await;
    let admin = running.admin().await;
    for target in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://example.com:5432/",
        "https://[::ffff:10.0.0.1]/",
        "https://a:b@example.com/",
        "file:///etc/passwd",
        "x y",
    ] {
        let (status, told) = running
            .call(&admin, "POST", PATH, Some(wanted("webhook", target)))
            .await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!("bad_target")),
            "{target}: {told}"
        );
    }
    for (body, status, code) in [
        (
            wanted("email", "ops@example.com"),
            409,
            "channel_not_possible",
        ),
        (wanted("fax", "https://example.com/"), 400, "bad_field"),
        (
            json!({ "kind": "webhook", "name": "n", "events": ["backup.failed"] }),
            400,
            "bad_field",
        ),
        (
            json!({ "kind": "webhook", "name": "n", "target": "https://example.com", "events": ["quota"] }),
            400,
            "bad_field",
        ),
        (
            json!({ "kind": "webhook", "name": "n", "target": "https://example.com", "events": [] }),
            400,
            "bad_request",
        ),
        (
            json!({ "kind": "ping", "name": "n", "target": "https://example.com", "events": ["backup.failed"] }),
            400,
            "bad_request",
        ),
        (
            json!({ "kind": "webhook", "name": "a\nb", "target": "https://example.com", "events": ["backup.failed"] }),
            400,
            "bad_request",
        ),
        (
            json!({ "kind": "webhook", "name": "n", "target": "https://example.com", "events": ["backup.failed"],
            "scheduleId": uuid::Uuid::now_v7() }),
            400,
            "bad_request",
        ),
    ] {
        let (answered, told) = running.call(&admin, "POST", PATH, Some(body.clone())).await;
        assert_eq!(
            (answered, &told["code"]),
            (status, &json!(code)),
            "{body}: {told}"
        );
    }
    for at in 0..21 {
        let (status, told) = running
            .call(
                &admin,
                "POST",
                PATH,
                Some(wanted("webhook", "https://example.com/")),
            )
            .await;
        let limits = running.superuser().await;
        limits
            .batch_execute("DELETE FROM public.rovodev_rate_limits")
            .await
            .unwrap();
        let expected = if at < 20 { 201 } else { 409 };
        assert_eq!(status, expected, "{told}");
    }
}

/// What a kind says that it can be told, the catalog keeps.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_every_kind_can_be_asked_for() {
    let running = Running::start().await;
    let admin = running.admin().await;
    let (_, listed) = running.call(&admin, "GET", PATH, None).await;
    for kind in listed["kinds"].as_array().unwrap() {
        if kind["needs"] != "url" {
            continue;
        }
        let body = json!({ "kind": kind["kind"], "name": "n", "target": "https://example.com/", "events": kind["events"] });
        let (_, made) = running.channel(&admin, body).await;
        let kept = made["channel"]["events"].as_array().unwrap().len();
        assert_eq!(kept, kind["events"].as_array().unwrap().len(), "{made}");
    }
}

/// Written past the functions, or changed in a name's zone after it was looked at: it is looked at again when it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_a_private_address() {
    let (running, receiver) = (Running::start().await, Receiver::start().await);
    let admin = running.admin().await;
    let port = receiver.url.rsplit(':').next().unwrap().to_string();
    for target in [
        receiver.url.clone(),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "https://localhost/".into(),
        "https://localhost:8443/".into(),
    ] {
        let request = json!({ "request": wanted("webhook", &target) });
        let made = running.rpc(&admin, "rovodev_create_channel", request).await;
        let id = made["channel"]["id"].as_str().unwrap();
        let (status, tested) = running
            .call(&admin, "POST", PATH, Some(json!({ "test": id })))
            .await;
        assert_eq!(
            (status, &tested["delivered"]),
            (200, &json!(false)),
            "{target}: {tested}"
        );
        assert!(
            tested["reason"]
                .as_str()
                .unwrap()
                .starts_with("The address"),
            "{target}: {tested}"
        );
    }
    assert!(receiver.got().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_a_real_message_that_says_so_and_tells_what_came_back() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let (id, made) = running
        .channel(&admin, wanted("webhook", &receiver.url))
        .await;
    let test = || running.call(&admin, "POST", PATH, Some(json!({ "test": id })));
    let (status, tested) = test().await;
    assert_eq!(
        (status, &tested["delivered"], &tested["status"]),
        (200, &json!(true), &json!(204)),
        "{tested}"
    );
    let got = receiver.until(1).await;
    assert_eq!(got[0].json()["data"]["test"], true);
    let secret = made["secret"].as_str().unwrap();
    standardwebhooks::Webhook::new(secret)
        .unwrap()
        .verify(&got[0].body, &got[0].headers)
        .unwrap();
    receiver.answer([Manner::Status(500)]);
    let (_, tested) = test().await;
    assert_eq!(
        tested,
        json!({ "delivered": false, "status": 500, "reason": "It answered 500.", "answer": "as it was told" })
    );
    let log = running.deliveries(&admin, &id).await;
    assert_eq!(
        (&log[0]["state"], &log[0]["test"]),
        (&json!("failed"), &json!(true)),
        "a test is not tried again"
    );
    for _ in 0..3 {
        test().await;
    }
    let (status, told) = test().await;
    assert_eq!(
        (status, &told["code"]),
        (429, &json!("rate_limited")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_pages_and_forgets_after_a_month() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let (id, _) = running
        .channel(&admin, wanted("webhook", &receiver.url))
        .await;
    let sql = format!(
        "INSERT INTO public.rovodev_notification_deliveries (channel_id, event, message, state, created_at) \
         SELECT '{id}', 'backup.succeeded', '{{}}', 'delivered', now() - make_interval(days => n) FROM generate_series(0, 40) n"
    );
    running.superuser().await.batch_execute(&sql).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{PATH}?id={id}&show=deliveries&limit=15{cursor}");
        let (status, page) = running.call(&admin, "GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(
            page["deliveries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d["id"].to_string()),
        );
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len()), (41, 41));
    running.tick().await;
    let counted = "SELECT count(*) FROM public.rovodev_notification_deliveries";
    let client = running.superuser().await;
    for _ in 0..200 {
        if client
            .query_one(counted, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 30
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("what is older than 30 days stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_sees_no_channel_and_viewers_none_either() {
    let running = Running::start().await;
    let admin = running.admin().await;
    let (id, _) = running
        .channel(&admin, wanted("webhook", "https://example.com/"))
        .await;
    let customer = running.sign_in(Person::Customer).await;
    let (_, listed) = running.call(&customer, "GET", PATH, None).await;
    assert_eq!(listed["channels"], json!([]));
    let path = format!("{PATH}?id={id}");
    assert_eq!(running.call(&customer, "GET", &path, None).await.0, 404);
    assert_eq!(
        running
            .call(&customer, "POST", PATH, Some(json!({ "test": id })))
            .await
            .0,
        404
    );
    let viewer = running.sign_in(Person::Viewer).await;
    assert_eq!(running.call(&viewer, "GET", PATH, None).await.0, 403);
    let schedule = json!({ "name": "n", "cron": "0 2 * * *" });
    let foreign = running.scheduled(&admin, schedule).await;
    let mut body = wanted("webhook", "https://example.com/");
    body["scheduleId"] = json!(foreign);
    assert_eq!(
        running.call(&customer, "POST", PATH, Some(body)).await.0,
        400
    );
}
