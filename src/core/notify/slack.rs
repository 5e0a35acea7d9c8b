//! For Slack: blocks, and a text for what cannot show them.

use super::{Notice, words};
use serde_json::{Value, json};

/// Slack refuses a section of more than 3000 characters, and a field of more than 2000.
const LONGEST: usize = 1500;
const LONGEST_TITLE: usize = 140;

pub fn slack(notice: &Notice<'_>) -> Value {
    let words = words(notice);
    let mark = match (notice.test, notice.event.is_good()) {
        (true, _) => "🔔",
        (_, true) => "✅",
        _ if notice.event.is_hint() => "🟠",
        (_, false) => "🔴",
    };
    let title: String = format!("{mark} {}", words.title)
        .chars()
        .take(LONGEST_TITLE)
        .collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": true } }),
        section(&escaped(&words.lead)),
    ];
    if let Some(error) = &words.error {
        blocks.push(section(&format!("```{}```", code(error))));
    }
    let fields: Vec<Value> = words
        .facts
        .iter()
        .map(|fact| text(&format!("*{}*\n{}", fact.label, escaped(&fact.value))))
        .collect();
    blocks.push(json!({ "type": "section", "fields": fields }));
    if let Some(note) = &words.note {
        blocks.push(json!({ "type": "context", "elements": [text(&escaped(note))] }));
    }
    if let Some(link) = notice.link() {
        let label = json!({ "type": "plain_text", "text": words.action });
        let style = if notice.event.is_good() {
            "primary"
        } else {
            "danger"
        };
        let button = json!({ "type": "button", "text": label, "url": link, "style": style });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    json!({ "text": escaped(&title), "blocks": blocks })
}

fn section(markdown: &str) -> Value {
    json!({ "type": "section", "text": text(markdown) })
}

fn text(markdown: &str) -> Value {
    json!({ "type": "mrkdwn", "text": markdown })
}

/// What would be a link, a mention or a channel is what it was written as.
fn escaped(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).collect();
    cut.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Does not end its own block.
fn code(text: &str) -> String {
    escaped(text).replace("```", "'''")
}
