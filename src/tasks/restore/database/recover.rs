//! The marker of a running restore, and what happens when it stops before its end.

use super::clear::Before;
use super::content::Content;
use super::target::Target;
use crate::core::restore_plan::Plan;
use crate::core::{ident, managed};
use crate::error::{Error, Result};
use crate::ports::postgres::DatabaseUrl;
use crate::tasks::Context;
use crate::tasks::restore::RestoreRequest;

pub struct Recovery {
    /// The schema whose presence says that the database is not to be used.
    pub marker: String,
    kind: Kind,
}

enum Kind {
    /// Nothing was there before: drop what came.
    Empty(Before),
    /// Empty tables were there: empty them again.
    Tables(Vec<String>),
    /// The former content is gone: only another restore helps.
    Forced,
}

impl Recovery {
    /// Looks at what is there, then sets the marker.
    pub async fn prepare(target: &Target, content: &Content<'_>, plan: &Plan) -> Result<Self> {
        let kind = if !content.has_definitions() {
            Kind::Tables(content.tables().map(|t| t.name.sql()).collect())
        } else if target.is_empty() {
            Kind::Empty(Before::read(&target.session).await?)
        } else {
            Kind::Forced
        };
        let marker = format!("{}{}", managed::RESTORE_MARKER, plan.operation);
        let comment = format!(
            "restore of backup {:?} ({}) by rovodev",
            plan.backup_name, plan.backup
        );
        let sql = format!(
            "CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS {}",
            ident::literal(&comment),
            name = ident::quote(&marker)
        );
        target
            .session
            .batch("marking the target as being restored", &sql)
            .await?;
        Ok(Self { marker, kind })
    }

    /// Brings the target back where it can, and tells in the error how it was left.
    pub async fn after(self, error: Error, request: &RestoreRequest) -> Error {
        // The work may have been cancelled; the cleaning is not.
        let ctx = Context::default();
        let cleaned = match &self.kind {
            Kind::Forced => None,
            Kind::Empty(before) => Some(empty(&ctx, request, before, &self.marker).await),
            Kind::Tables(tables) => Some(truncate(&request.target, tables, &self.marker).await),
        };
        let mut error = error;
        match cleaned {
            Some(Ok(())) => error.message.push_str("; the target is as empty as before"),
            cleaned => {
                error.message.push_str(&format!(
                    "; the target is incomplete, and schema {} marks it as not to be used",
                    self.marker
                ));
                if let Some(Err(why)) = cleaned {
                    error
                        .message
                        .push_str(&format!(" (cleaning up failed: {why})"));
                }
                let then = match request.force {
                    true => "Then run the same command again: it drops what is there first.",
                    false => "Restore again with --force, which drops what is there first.",
                };
                error.hint = Some(match error.hint.take() {
                    Some(hint) => format!("{hint} {then}"),
                    None => then.into(),
                });
            }
        }
        error
    }
}

async fn empty(
    ctx: &Context,
    request: &RestoreRequest,
    before: &Before,
    marker: &str,
) -> Result<()> {
    let mut target = Target::inspect(&request.target).await?;
    // Granted once the server has ended what the stopped restore had it do: nothing comes after the cleaning.
    target.lock().await?;
    before.bring_back(ctx, &mut target, marker).await
}

async fn truncate(url: &DatabaseUrl, tables: &[String], marker: &str) -> Result<()> {
    let target = Target::inspect(url).await?;
    target.lock().await?;
    let sql = format!(
        "TRUNCATE ONLY {}; DROP SCHEMA {}",
        tables.join(", ONLY "),
        ident::quote(marker)
    );
    target
        .session
        .batch("emptying the tables again", &sql)
        .await
}
