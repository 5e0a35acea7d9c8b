//! `GET /api/backups/list?format=csv|json`: the whole filtered list as a file, streamed page by page.

use super::list::{HIGHEST_LIMIT, shown};
use crate::error::{Code, Error};
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::table_file::{self, Format, TableFile};
use crate::http::{Answer, Service};
use crate::tasks::cataloged::{Asked, Asker, Filter, list, note_export};
use futures_util::stream::try_unfold;
use serde_json::Value;

const FILE: TableFile = TableFile {
    name: "backups",
    columns: &[
        "id",
        "name",
        "type",
        "trigger",
        "status",
        "createdAt",
        "createdBy",
        "startedAt",
        "finishedAt",
        "size",
        "tables",
        "records",
        "files",
        "components",
        "codec",
        "pinned",
        "verifiedAt",
        "checkedAt",
        "damaged",
        "expiresAt",
        "warnings",
        "errorCode",
        "error",
        "note",
        "path",
    ],
};

pub async fn answer(
    service: Service,
    asker: Asker,
    mut filter: Filter,
    format: Format,
) -> Result<Answer, Failure> {
    filter.limit = HIGHEST_LIMIT;
    granted(note_export(service.catalog(), &asker, format.suffix()).await?)?;
    // What is refused is told before the file begins.
    let first = granted(list(service.catalog(), &asker, &filter).await?)?.backups;
    let begun = Some((Some(first), filter));
    let pages = try_unfold(begun, move |state| {
        let (service, asker) = (service.clone(), asker.clone());
        async move {
            let Some((read, mut filter)) = state else {
                return Ok(None);
            };
            let mut backups = match read {
                Some(first) => first,
                None => match list(service.catalog(), &asker, &filter).await? {
                    Asked::Done(page) => page.backups,
                    Asked::Refused(refusal) => {
                        return Err(Error::new(Code::CatalogRefused, refusal.message));
                    }
                },
            };
            let more = backups.len() > filter.limit;
            backups.truncate(filter.limit);
            let rows: Vec<Value> = backups.iter().map(shown).collect();
            filter.after = backups.last().map(|b| (b.sort_value(filter.sort), b.id));
            Ok(Some((rows, more.then_some((None, filter)))))
        }
    });
    Ok(table_file::answer(&FILE, format, pages)?)
}
