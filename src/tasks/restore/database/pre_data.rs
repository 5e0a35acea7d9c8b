//! What rows need: roles, schemas, extensions, the platform's schemas where they are missing, types, functions, tables.

use super::content::Content;
use super::roles::Roles;
use super::steps::{self, IfRefused, Step, Warnings};
use super::target::Target;
use crate::core::ddl::{self, Entry, Kind, statement};
use crate::core::extras::Item;
use crate::core::progress::Stage;
use crate::core::{grants, ident};
use crate::error::Result;
use crate::tasks::Context;

/// Definitions of the platform's schemas that the target lacks.
#[derive(Default)]
pub struct Platform {
    pub pre_data: Vec<Entry>,
    pub post_data: Vec<Entry>,
}

impl Platform {
    pub fn missing(content: &Content<'_>, target: &Target) -> Self {
        let mut platform = Self::default();
        let lacking = |name: &String| !target.all_schemas.contains(name);
        for schema in content.extras.managed.iter().filter(|m| lacking(&m.name)) {
            platform
                .pre_data
                .extend(ddl::parse(&schema.pre_data).entries);
            platform
                .post_data
                .extend(ddl::parse(&schema.post_data).entries);
        }
        platform
    }

    /// Everything that a restore defines.
    pub fn with<'e>(&'e self, content: &'e Content<'_>) -> Vec<&'e Entry> {
        let own = content.pre_data.iter().chain(&content.post_data);
        own.chain(&self.pre_data).chain(&self.post_data).collect()
    }
}

/// Makes everything up to the empty tables.
pub async fn build(
    ctx: &Context,
    target: &Target,
    content: &Content<'_>,
    platform: &Platform,
    roles: &mut Roles,
    warnings: &Warnings,
) -> Result<()> {
    ctx.progress.stage(Stage::Schema, 0);
    let (all, defined) = (platform.with(content), content.own_roles());
    roles
        .create_missing(&target.session, &all, defined, warnings)
        .await?;
    let is_first = |e: &&Entry| matches!(e.kind, Kind::Schema | Kind::Extension);
    let defaults = grants::without_defaults(&content.pre_data);
    let mut sequence = vec![of_defaults(defaults.before)];
    sequence.extend(extension_schemas(content, target));
    let (first, rest): (Vec<_>, Vec<_>) = content.pre_data.iter().partition(is_first);
    sequence.extend(first.into_iter().map(|e| roles.step(e, false)));
    sequence.extend(platform.pre_data.iter().map(|e| roles.step(e, true)));
    // When only tables are chosen, functions come along in case a default calls them; some need other tables.
    let may_fail = |e: &Entry| content.is_partial() && e.table.is_none();
    // Grants come last in what pg_dump says of it.
    let (grants, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|e| e.kind == Kind::Acl);
    sequence.extend(rest.iter().map(|e| roles.step(e, may_fail(e))));
    sequence.push(of_defaults(defaults.after));
    sequence.extend(grants.into_iter().map(|e| roles.step(e, may_fail(e))));
    if !content.is_partial() {
        // Before the sessions that write and refresh begin: they follow them.
        sequence.extend(optional(&content.extras.database_settings));
        sequence.extend(optional(&content.extras.role_settings_here));
        sequence.extend(optional(&content.extras.extension_rows));
    }
    steps::run(ctx, &target.session, &sequence, warnings).await
}

fn of_defaults(sql: String) -> Step {
    Step {
        label: "what default privileges grant".into(),
        sql,
        if_refused: IfRefused::Stop,
    }
}

/// Extras as steps.
pub fn optional(items: &[Item]) -> impl Iterator<Item = Step> {
    items.iter().map(|item| Step {
        label: item.name.clone(),
        sql: format!("{};", item.sql.trim_end_matches(';')),
        if_refused: match item.optional {
            true => IfRefused::Tell,
            false => IfRefused::Stop,
        },
    })
}

/// Extensions lie in schemas that another target may lack: the platform's, or ones that were not chosen.
fn extension_schemas(content: &Content<'_>, target: &Target) -> Vec<Step> {
    let extensions = content
        .pre_data
        .iter()
        .filter(|e| e.kind == Kind::Extension);
    let mut names: Vec<_> = extensions
        .filter_map(|e| statement::word_after(e.statements.first()?, "SCHEMA"))
        .filter(|name| !target.all_schemas.contains(name))
        .collect();
    names.sort();
    names.dedup();
    let step = |name: String| Step {
        sql: format!("CREATE SCHEMA IF NOT EXISTS {};", ident::quote(&name)),
        label: format!("SCHEMA {name}"),
        if_refused: IfRefused::Stop,
    };
    names.into_iter().map(step).collect()
}
