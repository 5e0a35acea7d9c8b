//! `GET /api/backups/list`: a page of the caller's backups.

use super::list_export;
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::query::{STATUSES, bad, number, one, parameters, several, time};
use crate::http::table_file::Format;
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{Filter, Listed, Sort, list};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

const PARAMETERS: &[&str] = &[
    "type", "status", "trigger", "from", "to", "q", "sort", "order", "limit", "cursor", "offset",
    "format",
];
/// `scheduled` is an older way to say why a backup was taken.
const TYPES: &[&str] = &["full", "database", "config", "scheduled"];
const TRIGGERS: &[&str] = &["manual", "scheduled", "deploy", "safety"];
const LIMIT: usize = 50;
pub(super) const HIGHEST_LIMIT: usize = 200;
const HIGHEST_OFFSET: u32 = 1_000_000;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let given = parameters(&request, PARAMETERS)?;
    let filter = filter(&given)?;
    if let Some(format) = Format::asked(&given)? {
        return list_export::answer(service, asker, filter, format).await;
    }
    let mut page = granted(list(service.catalog(), &asker, &filter).await?)?;
    let more = page.backups.len() > filter.limit;
    page.backups.truncate(filter.limit);
    let next = page
        .backups
        .last()
        .filter(|_| more)
        .map(|last| Cursor::after(last, &filter).encode());
    let backups: Vec<Value> = page.backups.iter().map(shown).collect();
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "backups": backups, "total": page.total, "nextCursor": next }),
    ))
}

/// A backup as the seed draws it, and what came since.
pub(super) fn shown(backup: &Listed) -> Value {
    let mut all = serde_json::to_value(backup).unwrap_or_default();
    all["sizeFormatted"] = crate::core::size::formatted(backup.size).into();
    all["metadata"] =
        json!({ "tables": backup.tables, "records": backup.records, "files": backup.files });
    all
}

fn filter(parameters: &[(String, String)]) -> Result<Filter, Problem> {
    let mut filter = Filter {
        limit: LIMIT,
        ..Filter::default()
    };
    for (name, value) in parameters {
        match name.as_str() {
            "type" => {
                filter.types = several(name, value, TYPES)?;
                if filter.types.iter().any(|t| t == "scheduled") {
                    filter.types.retain(|t| t != "scheduled");
                    filter.triggers.push("scheduled".into());
                }
            }
            "status" => filter.statuses = several(name, value, STATUSES)?,
            "trigger" => filter.triggers.extend(several(name, value, TRIGGERS)?),
            "from" => filter.from = Some(time(name, value)?),
            "to" => filter.to = Some(time(name, value)?),
            "q" => filter.search = Some(value.clone()),
            "sort" => {
                filter.sort = serde_json::from_value(json!(value))
                    .map_err(|_| bad(name, "one of createdAt, size, type"))?;
            }
            "order" => filter.ascending = one(name, value, &["asc", "desc"])? == "asc",
            "limit" => filter.limit = number(name, value, 1..=HIGHEST_LIMIT)?,
            "offset" => filter.skipped = number(name, value, 0..=HIGHEST_OFFSET)?,
            _ => {}
        }
    }
    let given = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted);
    // Last, since a cursor belongs to the order that it was made for.
    if let Some((_, value)) = given("cursor") {
        if given("offset").is_some() {
            return Err(bad(
                "offset",
                "given without cursor: each says where the page begins",
            ));
        }
        let cursor = Cursor::decode(value)
            .filter(|c| c.sort == filter.sort && c.ascending == filter.ascending)
            .ok_or_else(|| bad("cursor", "the nextCursor of a page in the same order"))?;
        filter.after = Some((cursor.value, cursor.id));
    }
    Ok(filter)
}

/// Where the next page begins. Opaque to callers.
#[derive(Serialize, Deserialize)]
struct Cursor {
    sort: Sort,
    ascending: bool,
    value: String,
    id: Uuid,
}

impl Cursor {
    fn after(last: &Listed, filter: &Filter) -> Self {
        Self {
            sort: filter.sort,
            ascending: filter.ascending,
            value: last.sort_value(filter.sort),
            id: last.id,
        }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The value is bound, not trusted; but what the database could not read is refused here.
    fn decode(text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let readable = match cursor.sort {
            Sort::CreatedAt => time("cursor", &cursor.value).is_ok(),
            Sort::Size => cursor.value.parse::<i64>().is_ok(),
            Sort::Type => !cursor.value.contains('\0'),
        };
        readable.then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Filter, Problem> {
        let pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        filter(&pairs)
    }

    #[test]
    fn parameters_become_a_filter() {
        let f = read("type=full,config&order=asc&sort=size&limit=3&q=x&from=2026-01-01T00:00:00Z")
            .unwrap();
        assert_eq!(
            (f.types.len(), f.ascending, f.sort, f.limit),
            (2, true, Sort::Size, 3)
        );
        assert!(f.from.is_some() && f.search.as_deref() == Some("x"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for text in [
            "type=all",
            "limit=0",
            "limit=201",
            "limit=x",
            "sort=name",
            "order=up",
            "from=today",
            "from=0000-01-01T00:00:00Z",
            "to=9999-12-31T23:59:59-01:00",
            "cursor=x",
            "offset=-1",
            "offset=1000001",
            "offset=0&cursor=x",
        ] {
            let problem = read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (problem.status, problem.code.as_str()),
                (400, "bad_parameter"),
                "{text}"
            );
            let name = text.split('=').next().unwrap();
            assert!(problem.detail.unwrap().starts_with(name), "{text}");
        }
    }

    #[test]
    fn a_cursor_holds_what_the_database_can_read() {
        for (value, good) in [
            ("2026-11-22T14:30:00Z", true),
            ("0000-11-22T14:30:00Z", false),
            ("today", false),
        ] {
            let cursor = Cursor {
                sort: Sort::CreatedAt,
                ascending: false,
                value: value.into(),
                id: Uuid::nil(),
            };
            let read = read(&format!("cursor={}", cursor.encode()));
            assert_eq!(read.is_ok(), good, "{value}");
        }
    }

    #[test]
    fn a_cursor_serves_only_the_order_it_was_made_for() {
        let cursor = Cursor {
            sort: Sort::Size,
            ascending: false,
            value: "7".into(),
            id: Uuid::nil(),
        }
        .encode();
        let after = read(&format!("sort=size&cursor={cursor}")).unwrap().after;
        assert_eq!(after, Some(("7".into(), Uuid::nil())));
        assert!(read(&format!("cursor={cursor}")).is_err());
        assert!(read(&format!("sort=size&order=asc&cursor={cursor}")).is_err());
    }
}
