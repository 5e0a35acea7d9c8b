//! The marker of a running restore, and what happens when it stops before its end.

use super::clear::{self, Before};
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
    Tables,
    /// The former content is gone: only another restore helps.
    Forced,
}

impl Recovery {
    /// Looks at what is there, then sets the marker.
    pub async fn prepare(target: &Target, content: &Content<'_>, plan: &Plan) -> Result<Self> {
        let kind = if !content.has_definitions() {
            Kind::Tables
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
        let mut sql = format!(
            "CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS {}",
            ident::literal(&comment),
            name = ident::quote(&marker)
        );
        if let Kind::Tables = kind {
            let tables: Vec<String> = content.tables().map(|t| t.name.sql()).collect();
            sql = format!("{sql}; {}", clear::note_filled(&marker, &tables));
        }
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
            Kind::Tables => Some(take_back(&request.target, &self.marker).await),
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
                let first = match self.kind {
                    Kind::Tables => "empties the tables that this one filled",
                    Kind::Empty(_) | Kind::Forced => "drops what is there first",
                };
                let then = match request.force {
                    true => format!("Then run the same command again: it {first}."),
                    false => format!("Restore again with --force, which {first}."),
                };
                error.hint = Some(match error.hint.take() {
                    Some(hint) => format!("{hint} {then}"),
                    None => then,
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

async fn take_back(url: &DatabaseUrl, marker: &str) -> Result<()> {
    let target = Target::inspect(url).await?;
    target.lock().await?;
    clear::take_back(&target.session, marker).await
}
