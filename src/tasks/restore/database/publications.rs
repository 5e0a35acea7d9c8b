//! Tables of publications: a part brings them and not the publication, and the target's may be somebody else's. What
//! cannot be published is left out and named beforehand.

use super::content::Content;
use super::target::Target;
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::extras::Item;
use crate::core::manifest::Warning;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Takes such members out of `content` and answers what is to be told of them.
pub async fn leave_out(content: &mut Content<'_>, target: &Target) -> Result<Vec<Warning>> {
    choose(content);
    let there = there(target).await?;
    let made = content.post_data.iter();
    let made: BTreeSet<String> = made
        .filter(|e| e.kind == Kind::Publication)
        .map(|e| e.name.clone())
        .collect();
    let mut left_out = BTreeSet::new();
    let mut stays = |sql: &str| {
        let Some(publication) = statement::word_after(sql, "PUBLICATION") else {
            return true;
        };
        let why = match there.get(&publication) {
            Some(true) => return true,
            Some(false) => "belongs to a role of which this one is no member",
            None if made.contains(&publication) => return true,
            None => "is neither in this restore nor in the target",
        };
        left_out.insert(format!(
            "{} is left out of publication {publication:?}, which {why}",
            member(sql)
        ));
        false
    };
    let is_member = |e: &Entry| e.kind == Kind::PublicationTable;
    content
        .post_data
        .retain(|e| !is_member(e) || e.statements.first().is_none_or(|sql| stays(sql)));
    content.extras.publications.retain(|item| stays(&item.sql));
    let warning = |message| Warning {
        code: "not_restored".into(),
        message,
    };
    Ok(left_out.into_iter().map(warning).collect())
}

/// The extras name the members of the whole database's publications.
fn choose(content: &mut Content<'_>) {
    let filter = &content.filter;
    let chosen = |item: &Item| match statement::name_after(&item.sql, "ONLY") {
        Some(table) => filter.keeps_table(&table),
        None => !filter.is_partial(),
    };
    content.extras.publications.retain(chosen);
}

fn member(sql: &str) -> String {
    let table = statement::name_after(sql, "ONLY").or_else(|| statement::name_after(sql, "TABLE"));
    match (table, statement::word_after(sql, "SCHEMA")) {
        (Some(table), _) => format!("table {table}"),
        (None, Some(schema)) => format!("schema {schema}"),
        (None, None) => sql.trim_end_matches(';').into(),
    }
}

/// The target's publications, and whether the role may alter them.
async fn there(target: &Target) -> Result<BTreeMap<String, bool>> {
    let sql = "SELECT pubname::text, pg_catalog.pg_has_role(pubowner, 'USAGE') FROM pg_catalog.pg_publication";
    let doing = "looking at the target's publications";
    let rows = target.session.query(doing, sql, &[]).await?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}
