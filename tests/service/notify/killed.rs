//! A process that dies while it tells: another one tells it, under the same id.

use super::receiver::{Manner, Receiver, reaching};
use crate::worker::Worker;
use rustix::process::Signal;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_was_sending_is_sent_by_the_tick() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["backup.failed"] });
    let (id, _) = running.channel(&admin, body).await;
    receiver.answer([Manner::Hang]);
    // Past the functions, so that none of them works on it.
    let nothing = json!({ "request": { "type": "database", "schemas": ["no_such_schema"] } });
    let asked = running.rpc(&admin, "rovodev_create_backup", nothing).await;
    assert_eq!(asked["outcome"], "done", "{asked}");
    let worker = Worker::start(&running, &[]);
    let first = receiver.until(1).await.remove(0);
    worker.send(Signal::KILL);
    worker.ended();
    // Nobody wrote what became of it: it is claimed again when the lease is over.
    running.tick().await;
    let claimed = running.delivery(&admin, &id, |_| true).await;
    assert_eq!(
        (&claimed["state"], &claimed["attempts"]),
        (&json!("waiting"), &json!(1)),
        "{claimed}"
    );
    running.make_due().await;
    running.tick().await;
    let second = receiver.until(2).await.remove(1);
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(second.body, first.body);
    let told = running
        .delivery(&admin, &id, |d| d["state"] == "delivered")
        .await;
    assert_eq!(told["attempts"], 2, "{told}");
}

/// Jobs that die again and again are given up by who takes them next: that is told as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_told() {
    let (running, receiver) = (reaching().await, Receiver::start().await);
    let admin = running.admin().await;
    let body = json!({ "kind": "webhook", "name": "n", "target": receiver.url, "events": ["backup.failed"] });
    running.channel(&admin, body).await;
    let any = json!({ "request": { "type": "database" } });
    running.rpc(&admin, "rovodev_create_backup", any).await;
    let client = running.superuser().await;
    for _ in 0..5 {
        let died = "SELECT rovodev_take_job('dies', 60);
             SELECT pgmq.set_vt(queue, message_id, 0) FROM rovodev_jobs";
        client.batch_execute(died).await.unwrap();
    }
    running.tick().await;
    let told = receiver.until(1).await[0].json();
    assert_eq!(told["data"]["error"]["code"], "gave_up", "{told}");
}
