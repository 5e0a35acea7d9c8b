//! `/api/workspace/activity`: the audit log, by pages or as a file.

use crate::error::{Code, Error};
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::query::{bad, number, parameters, several, time};
use crate::http::table_file::{self, Format, TableFile};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{
    ActivityFilter, Asked, Asker, Entry, list_activity, note_activity_export,
};
use futures_util::stream::try_unfold;
use http::StatusCode;
use serde_json::{Value, json};

const PARAMETERS: &[&str] = &[
    "action", "outcome", "from", "to", "q", "limit", "cursor", "format",
];
/// What the log can hold; those without a dot tell how a job ended.
const ACTIONS: &[&str] = &[
    "activity.export",
    "backup",
    "backup.cancel",
    "backup.change",
    "backup.create",
    "backup.delete",
    "backup.download",
    "backup.expire",
    "backup.list.export",
    "backup.preview",
    "backup.restore",
    "backup.revoke",
    "channel.change",
    "channel.create",
    "channel.delete",
    "channel.test",
    "delete",
    "deployment.check",
    "export",
    "hook.call",
    "hook.make",
    "hook.remove",
    "member.change",
    "request",
    "restore",
    "schedule.change",
    "schedule.create",
    "schedule.delete",
    "schedule.run",
];
const OUTCOMES: &[&str] = &["done", "refused", "failed"];
const LIMIT: usize = 50;
const HIGHEST_LIMIT: usize = 200;

const FILE: TableFile = TableFile {
    name: "activity",
    columns: &[
        "id",
        "at",
        "actor",
        "door",
        "action",
        "outcome",
        "code",
        "address",
        "objectType",
        "objectId",
        "backupId",
        "backupName",
        "detail",
    ],
};

pub async fn handle(service: Service, asker: Asker, request: &Request) -> Result<Answer, Failure> {
    let given = parameters(request, PARAMETERS)?;
    let filter = filter(&given)?;
    if let Some(format) = Format::asked(&given)? {
        return file(service, asker, filter, format).await;
    }
    let mut entries = granted(list_activity(service.catalog(), &asker, &filter).await?)?.entries;
    let more = entries.len() > filter.limit;
    entries.truncate(filter.limit);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|last| last.id.to_string());
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "activity": entries, "nextCursor": next }),
    ))
}

fn filter(given: &[(String, String)]) -> Result<ActivityFilter, Problem> {
    let mut filter = ActivityFilter {
        limit: LIMIT,
        ..ActivityFilter::default()
    };
    for (name, value) in given {
        match name.as_str() {
            "action" => filter.actions = several(name, value, ACTIONS)?,
            "outcome" => filter.outcomes = several(name, value, OUTCOMES)?,
            "from" => filter.from = Some(time(name, value)?),
            "to" => filter.to = Some(time(name, value)?),
            "q" => filter.search = Some(value.clone()),
            "limit" => filter.limit = number(name, value, 1..=HIGHEST_LIMIT)?,
            "cursor" => {
                let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let before = plain.then(|| value.parse().ok()).flatten();
                filter.before =
                    Some(before.ok_or_else(|| bad(name, "the nextCursor of another page"))?);
            }
            _ => {}
        }
    }
    Ok(filter)
}

async fn file(
    service: Service,
    asker: Asker,
    mut filter: ActivityFilter,
    format: Format,
) -> Result<Answer, Failure> {
    filter.limit = HIGHEST_LIMIT;
    granted(note_activity_export(service.catalog(), &asker, format.suffix()).await?)?;
    let pages = try_unfold(Some(filter), move |state| {
        let (service, asker) = (service.clone(), asker.clone());
        async move {
            let Some(mut filter) = state else {
                return Ok(None);
            };
            let mut entries = match list_activity(service.catalog(), &asker, &filter).await? {
                Asked::Done(page) => page.entries,
                Asked::Refused(refusal) => {
                    return Err(Error::new(Code::CatalogRefused, refusal.message));
                }
            };
            let more = entries.len() > filter.limit;
            entries.truncate(filter.limit);
            filter.before = entries.last().map(|last| last.id);
            let rows = entries.iter().map(shown).collect::<Vec<_>>();
            Ok(Some((rows, more.then_some(filter))))
        }
    });
    Ok(table_file::answer(&FILE, format, pages)?)
}

fn shown(entry: &Entry) -> Value {
    serde_json::to_value(entry).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<ActivityFilter, Problem> {
        filter(&[(name.to_string(), value.to_string())])
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (name, value) in [
            ("action", "backup.steal"),
            ("outcome", "fine"),
            ("from", "today"),
            ("limit", "201"),
            ("cursor", "-1"),
            ("cursor", "+1"),
            ("cursor", "99999999999999999999"),
        ] {
            let problem = read(name, value).err().unwrap();
            assert_eq!(problem.code, "bad_parameter", "{name}={value}");
            assert!(problem.detail.unwrap().starts_with(name));
        }
        assert_eq!(read("cursor", "17").unwrap().before, Some(17));
    }
}
