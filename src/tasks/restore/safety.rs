//! The safety backup of a restore in place: the tables that the restore may touch, as they are before it; removed
//! again where the restore was for nothing.

use super::RestoreRequest;
use crate::core::managed;
use crate::core::manifest::{BackupType, Manifest, Selection, Trigger};
use crate::error::{Code, Result};
use crate::ports::store::Store;
use crate::tasks::create::{self, CreateRequest};
use crate::tasks::{Clock, Context, delete, open_store};
use std::path::PathBuf;
use uuid::Uuid;

/// Where safety backups go, and what takes them.
#[derive(Debug, Clone)]
pub struct Keeper<'a> {
    pub store: &'a Store,
    pub store_key: Option<&'a str>,
    /// Owner of the backups.
    pub tenant: &'a str,
    pub pg_dump: Option<PathBuf>,
}

impl Keeper<'_> {
    /// Takes the backup. `id` is given where somebody promised it beforehand.
    pub async fn take(
        &self,
        ctx: &Context,
        request: &RestoreRequest,
        id: Option<Uuid>,
    ) -> Result<Manifest> {
        let opened = open_store::open(ctx, self.store, self.store_key, false).await?;
        let now = ctx.clock.now();
        let create = CreateRequest {
            id,
            database: Some(request.target.clone()),
            kind: BackupType::Database,
            trigger: Trigger::Safety,
            codec: request.backup.codec,
            name: Some(format!(
                "before-restore_{}",
                now.format("%Y-%m-%d_%H-%M-%S-%3f")
            )),
            tenant: self.tenant.into(),
            selection: touched(&request.choice.selection, &request.backup.selection),
            project: PathBuf::from("."),
            pg_dump: self.pg_dump.clone(),
            readers: create::READERS,
            yield_after: create::YIELD_AFTER,
        };
        create::create(ctx, &opened, &create)
            .await
            .map_err(|e| e.during("taking the safety backup; nothing was changed"))
    }

    /// Removes it. Whoever cancelled the restore gave up that, and not this. While somebody else writes in the store
    /// it only goes out of the lists, and what it stored goes with the next prune.
    pub async fn remove(&self, id: Uuid) -> Result<()> {
        let (ctx, clock) = (Context::default(), Clock::default());
        match delete::delete(&ctx, self.store, self.tenant, &[id], &clock, false).await {
            Err(e) if e.code == Code::StoreBusy => {
                delete::withdraw(self.store, self.tenant, id).await
            }
            done => done.map(drop),
        }
    }
}

/// What a restore may touch. A tenant's backup is followed by that tenant's rows and never by anybody else's: all of
/// them, for single tables may say nothing of whose their rows are without the tables above them. The same goes for
/// a tenant's rows of a whole backup, unless tables are chosen, which are then kept whole.
pub fn touched(chosen: &Selection, backed_up: &Selection) -> Selection {
    let everything = chosen.schemas.is_empty() && chosen.tables.is_empty();
    let theirs = chosen
        .schemas
        .iter()
        .chain(chosen.tables.iter().map(|t| &t.schema));
    let by_name = theirs
        .into_iter()
        .any(|schema| managed::is_platform(schema));
    match (&backed_up.scope, everything) {
        (Some(_), _) => backed_up.clone(),
        (None, false) => Selection {
            scope: None,
            platform_rows: by_name && chosen.scope.is_none(),
            ..chosen.clone()
        },
        // One tenant's restore brings no rows of the platform.
        (None, true) => Selection {
            scope: chosen.scope.clone(),
            platform_rows: backed_up.platform_rows && chosen.scope.is_none(),
            ..backed_up.clone()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::touched;
    use crate::core::ident::QName;
    use crate::core::manifest::{Scope, Selection};

    fn selection(schemas: &[&str], tables: &[&str], tenant: Option<&str>) -> Selection {
        Selection {
            schemas: schemas.iter().map(ToString::to_string).collect(),
            tables: tables.iter().map(|t| QName::new("app", *t)).collect(),
            scope: tenant.map(|value| Scope::new("tenant_id", value)),
            platform_rows: false,
        }
    }

    #[test]
    fn rows_of_the_platform_are_kept_where_they_come_back() {
        let with = |selection: Selection| Selection {
            platform_rows: true,
            ..selection
        };
        let (whole, tenants) = (Selection::default(), selection(&[], &[], Some("1")));
        let users = Selection {
            tables: vec![QName::new("auth", "users")],
            ..Selection::default()
        };
        let calls = selection(&[], &["calls"], None);
        assert_eq!(touched(&whole, &with(whole.clone())), with(whole.clone()));
        assert_eq!(touched(&calls, &with(whole.clone())), calls);
        assert_eq!(touched(&users, &with(whole.clone())), with(users.clone()));
        assert_eq!(touched(&tenants, &with(whole.clone())), tenants);
    }

    #[test]
    fn chosen_tables_or_all_that_comes_back() {
        let whole = Selection::default();
        let part = selection(&["app"], &[], None);
        let calls = selection(&[], &["calls"], None);
        assert_eq!(touched(&whole, &whole), whole);
        assert_eq!(touched(&whole, &part), part);
        assert_eq!(touched(&calls, &part), calls);
    }

    #[test]
    fn a_tenants_backup_is_followed_by_that_tenants_rows_alone() {
        let tenants = selection(&["app"], &[], Some("1"));
        for chosen in [
            Selection::default(),
            selection(&[], &["events"], None),
            selection(&[], &["events"], Some("1")),
        ] {
            assert_eq!(touched(&chosen, &tenants), tenants);
        }
    }

    #[test]
    fn a_tenants_rows_of_a_whole_backup() {
        let rows = selection(&[], &[], Some("1"));
        assert_eq!(touched(&rows, &Selection::default()), rows);
        assert_eq!(
            touched(
                &selection(&[], &["events"], Some("1")),
                &Selection::default()
            ),
            selection(&[], &["events"], None)
        );
    }
}
