use super::*;
use serde_json::json;

fn failed() -> Message {
    serde_json::from_value(json!({
        "at": "2026-11-22T02:00:09.123456+00:00",
        "tenant": { "id": Uuid::nil(), "slug": "default", "name": "Call Center" },
        "schedule": { "id": Uuid::nil(), "name": "Nightly <!channel>" },
        "backup": { "id": Uuid::nil(), "name": "Nightly_2026-11-22", "type": "full", "trigger": "scheduled",
            "createdAt": "2026-11-22T02:00:00+00:00", "seconds": 75, "warnings": 0 },
        "error": { "code": "store_full", "message": "The store has no room left. {facts} <b>" },
        "folded": 11, "foldedSince": "2026-11-22T00:30:00+00:00",
    }))
    .unwrap()
}

fn notice(message: &Message) -> Notice<'_> {
    Notice {
        event: Event::BackupFailed,
        message,
        test: false,
        dashboard: Some("https://app.example/backups/"),
    }
}

#[test]
fn a_mail_as_people_read_it() {
    let mail = mail(&notice(&failed()));
    insta::assert_snapshot!(format!("{}\n\n{}", mail.subject, mail.text));
    insta::assert_snapshot!(mail.html);
}

#[test]
fn what_slack_shows() {
    let blocks = slack(&notice(&failed()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&blocks).unwrap());
}

#[test]
fn what_programs_are_sent() {
    let sent = body(&notice(&failed()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent).unwrap());
}

#[test]
fn a_success_after_failures_says_so() {
    let mut message = failed();
    message.error = None;
    message.folded = 0;
    message.recovered = Some(Recovered {
        failures: 3,
        since: message.at,
    });
    let over = Notice {
        event: Event::BackupSucceeded,
        ..notice(&message)
    };
    let words = words(&over);
    assert_eq!(words.title, "Backups work again: Nightly <!channel>");
    let note = words.note.unwrap();
    assert_eq!(note, "It had failed 3 times since 2026-11-22 02:00 UTC.");
}

#[test]
fn a_name_is_one_line_and_no_markup() {
    let mut message = failed();
    message.schedule.as_mut().unwrap().name = "a\r\nBcc: x@example.com".into();
    let mail = mail(&notice(&message));
    assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    let sent = slack(&notice(&message)).to_string();
    assert!(!sent.contains("<b>"), "{sent}");
}

#[test]
fn damage_anomalies_and_quotas_say_what_to_do() {
    let mut message = failed();
    (message.folded, message.error) = (0, None);
    message.anomalies = vec!["calls: 1,145 rows in the backups before, 0 now".into()];
    message.quota = Some(Quota {
        stored: 900_000_000,
        limit: 1_000_000_000,
    });
    let mut told = String::new();
    for event in [
        Event::VerificationFailed,
        Event::VerificationRecovered,
        Event::BackupAnomaly,
        Event::QuotaNear,
        Event::QuotaExceeded,
    ] {
        let notice = Notice {
            event,
            ..notice(&message)
        };
        let mail = mail(&notice);
        let mark = slack(&notice)["text"].as_str().map(str::to_string);
        told += &format!("{:?}\n{}\n{}\n\n", mark, mail.subject, mail.text);
        assert!(mail.html.contains(match event.is_hint() {
            true => "#92400e",
            false if event.is_good() => "#15803d",
            false => "#b91c1c",
        }));
    }
    insta::assert_snapshot!(told);
}
