//! Mails, through a real exchange with a mail server.

use super::smtp::Smtp;
use crate::stack::{DASHBOARD, Running};
use base64::Engine;
use mail_parser::MessageParser;
use serde_json::{Value, json};

async fn mailing(smtp: &Smtp) -> Running {
    let url = format!("smtp://backups:p%40ss-word@127.0.0.1:{}", smtp.port);
    Running::start_with(&[
        ("ROVODEV_SMTP_URL", url),
        (
            "ROVODEV_MAIL_FROM",
            "Backups <backups@callcenter.example>".into(),
        ),
    ])
    .await
}

fn wanted(to: &str) -> Value {
    json!({ "kind": "email", "name": "Operations", "target": to, "events": ["backup.failed"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_backup_is_a_mail_with_the_error_and_the_link() {
    let smtp = Smtp::start().await;
    let running = mailing(&smtp).await;
    let admin = running.admin().await;
    let (id, made) = running
        .channel(&admin, wanted("ops@example.com, boss@example.org"))
        .await;
    assert_eq!(made["channel"]["target"], "o…@example.com, b…@example.org");
    let backup = running.fail_backup(&admin).await;
    let taken = &smtp.until(1).await[0];
    assert_eq!(taken.from, "backups@callcenter.example");
    assert_eq!(taken.to, ["ops@example.com", "boss@example.org"]);
    let said = base64::engine::general_purpose::STANDARD
        .decode(&taken.credentials)
        .unwrap();
    assert_eq!(said, b"\0backups\0p@ss-word");
    let mail = MessageParser::default()
        .parse(taken.data.as_bytes())
        .unwrap();
    assert!(
        mail.subject().unwrap().starts_with("Backup failed: "),
        "{:?}",
        mail.subject()
    );
    let (text, html) = (mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
    let link = format!("{DASHBOARD}/#/backups/{backup}");
    for part in [&text, &html] {
        assert!(
            part.contains(&link) && part.contains("nothing_selected"),
            "{part}"
        );
        assert!(part.contains("Settings, Notifications"), "{part}");
    }
    assert!(html.contains("prefers-color-scheme: dark"));
    let log = running
        .delivery(&admin, &id, |d| d["state"] == "delivered")
        .await;
    assert_eq!(log["status"], 250, "{log}");
    let id = format!("{}@callcenter.example", log["id"].as_str().unwrap());
    assert_eq!(mail.message_id(), Some(id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_puts_off_is_tried_again_and_what_it_refuses_is_not() {
    let smtp = Smtp::start().await;
    let running = mailing(&smtp).await;
    let admin = running.admin().await;
    let (id, _) = running.channel(&admin, wanted("ops@example.com")).await;
    smtp.refuse(&["451 4.3.0 later, please"]);
    running.fail_backup(&admin).await;
    let put_off = running
        .delivery(&admin, &id, |d| d["reason"] != Value::Null)
        .await;
    assert_eq!(put_off["state"], "waiting", "{put_off}");
    assert!(
        put_off["reason"].as_str().unwrap().contains("451"),
        "{put_off}"
    );
    running.make_due().await;
    running.tick().await;
    running
        .delivery(&admin, &id, |d| d["state"] == "delivered")
        .await;
    smtp.refuse(&["550 5.1.1 no such mailbox"]);
    let path = "/api/workspace/channels";
    let (_, tested) = running
        .call(&admin, "POST", path, Some(json!({ "test": id })))
        .await;
    assert_eq!(tested["delivered"], false, "{tested}");
    assert!(
        tested["reason"]
            .as_str()
            .unwrap()
            .contains("no such mailbox"),
        "{tested}"
    );
    let (_, tested) = running
        .call(&admin, "POST", path, Some(json!({ "test": id })))
        .await;
    assert_eq!(
        (&tested["delivered"], &tested["status"]),
        (&json!(true), &json!(250)),
        "{tested}"
    );
    let mail = smtp.taken().last().unwrap().data.clone();
    let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
    assert!(
        mail.subject().unwrap().starts_with("[Test] "),
        "{:?}",
        mail.subject()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_refused() {
    let smtp = Smtp::start().await;
    let running = mailing(&smtp).await;
    let admin = running.admin().await;
    let many = ["a@example.com"; 11].join(",");
    for to in [
        "nobody",
        "a@example.com,",
        "a@b\r\nBcc: c@example.com",
        "Ops <ops@example.com>",
        &many,
    ] {
        let path = "/api/workspace/channels";
        let (status, told) = running.call(&admin, "POST", path, Some(wanted(to))).await;
        assert_eq!(
            (status, &told["code"]),
            (400, &json!("bad_target")),
            "{to}: {told}"
        );
    }
}

/// A server that is not there: it waits, and nothing else does.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_mails_wait_and_backups_do_not() {
    let smtp = Smtp::start().await;
    let running = mailing(&smtp).await;
    let admin = running.admin().await;
    let (id, _) = running.channel(&admin, wanted("ops@example.com")).await;
    drop(smtp);
    running.fail_backup(&admin).await;
    let waiting = running
        .delivery(&admin, &id, |d| d["reason"] != Value::Null)
        .await;
    assert_eq!(
        (&waiting["state"], &waiting["reason"]),
        (
            &json!("waiting"),
            &json!("The mail server cannot be reached.")
        )
    );
    running.backed_up(&admin, json!({ "type": "config" })).await;
}
