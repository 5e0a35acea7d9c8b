//! For mail clients: plain text, and HTML that reads in light and dark, without anything from elsewhere.

use super::{Notice, words};

/// A mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

const FOOTER: &str = "You get this because a channel of Rovodev names your address. An admin of the tenant \
     can change or delete it under Settings, Notifications.";

pub fn mail(notice: &Notice<'_>) -> Mail {
    let words = words(notice);
    let mark = if notice.test { "[Test] " } else { "" };
    Mail {
        subject: format!(
            "{mark}{} · {}",
            words.title,
            one_line(&notice.message.tenant.name)
        ),
        text: text(notice, &words),
        html: html(notice, &words),
    }
}

fn one_line(text: &str) -> String {
    let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    flat.take(80).collect()
}

fn text(notice: &Notice<'_>, words: &super::Words) -> String {
    let mut lines = vec![words.title.clone(), String::new(), words.lead.clone()];
    if let Some(error) = &words.error {
        lines.extend([String::new(), error.clone()]);
    }
    if let Some(note) = &words.note {
        lines.extend([String::new(), note.clone()]);
    }
    lines.push(String::new());
    let wide = words.facts.iter().map(|f| f.label.len()).max();
    let wide = wide.unwrap_or(0) + 2;
    for fact in &words.facts {
        lines.push(format!(
            "{:wide$}{}",
            format!("{}:", fact.label),
            fact.value
        ));
    }
    if let Some(link) = notice.link() {
        lines.extend([String::new(), format!("{}: {link}", words.action)]);
    }
    lines.extend([String::new(), "-- ".into(), FOOTER.into(), String::new()]);
    lines.join("\n")
}

fn html(notice: &Notice<'_>, words: &super::Words) -> String {
    let colour = match (notice.test, notice.event.is_good()) {
        (true, _) => "#475569",
        (_, true) => "#15803d",
        _ if notice.event.is_hint() => "#92400e",
        (_, false) => "#b91c1c",
    };
    let error = words.error.as_ref().map(|error| {
        format!(
            r#"<tr><td class="error" style="padding:12px 14px;background:#fef2f2;border-radius:6px;color:#7f1d1d;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;word-break:break-word">{}</td></tr>{GAP}"#,
            escaped(error)
        )
    });
    let note = words.note.as_ref().map(|note| {
        format!(
            r#"<tr><td class="quiet" style="color:#475569">{}</td></tr>{GAP}"#,
            escaped(note)
        )
    });
    let button = notice.link().map(|link| {
        format!(
            r#"<tr><td><a href="{}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:{colour};color:#ffffff;font-weight:600;text-decoration:none">{}</a></td></tr>{GAP}"#,
            escaped(&link),
            escaped(words.action)
        )
    });
    let facts: String = words
        .facts
        .iter()
        .map(|fact| {
            format!(
                r#"<tr><th scope="row" class="quiet" style="padding:4px 16px 4px 0;color:#475569;font-weight:400;text-align:left;vertical-align:top;white-space:nowrap">{}</th><td style="padding:4px 0;word-break:break-word">{}</td></tr>"#,
                escaped(fact.label),
                escaped(&fact.value)
            )
        })
        .collect();
    PAGE.replace("{title}", &escaped(&words.title))
        .replace("{colour}", colour)
        .replace("{lead}", &escaped(&words.lead))
        .replace("{error}", &error.unwrap_or_default())
        .replace("{note}", &note.unwrap_or_default())
        .replace("{facts}", &facts)
        .replace("{button}", &button.unwrap_or_default())
        .replace("{footer}", &escaped(FOOTER))
}

const GAP: &str = r#"<tr><td style="height:16px;line-height:16px">&nbsp;</td></tr>"#;
const PAGE: &str = include_str!("mail.html");

/// Braces too, so that what somebody wrote is never taken for a place in the page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '{' => safe.push_str("&#123;"),
            '}' => safe.push_str("&#125;"),
            c => safe.push(c),
        }
    }
    safe
}
