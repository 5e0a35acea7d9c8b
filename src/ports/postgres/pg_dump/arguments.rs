//! What is asked of `pg_dump`, as its command line.

use crate::core::ident::{self, QName};

/// Which definitions. Empty lists choose everything; a chosen schema or table that does not exist is an error.
#[derive(Debug, Clone, Default)]
pub struct DumpArgs {
    /// Empty: all sections.
    pub sections: Vec<Section>,
    pub schemas: Vec<String>,
    /// Also where schemas are chosen: without it `pg_dump` then leaves every extension out.
    pub extensions: bool,
    pub exclude_schemas: Vec<String>,
    /// In `pg_dump`'s own pattern language, as they are.
    pub exclude_schema_patterns: Vec<String>,
    /// These alone: `pg_dump` then leaves out the schemas and types they need.
    pub tables: Vec<QName>,
    pub exclude_tables: Vec<QName>,
}

/// Part of a dump, as `pg_dump` cuts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Everything that rows need: schemas, types, functions, tables.
    PreData,
    /// Indexes, constraints, triggers, rules, policies.
    PostData,
}

/// - `--quote-all-identifiers`: a word that a newer target reserves must not break the restore.
/// - `--no-tablespaces`: they are places on the source server's disks.
/// - `--no-subscriptions`: their definition holds the publisher's password.
/// - `--lock-wait-timeout`: in milliseconds, as long as our own sessions wait.
/// - `--strict-names`: a chosen name that matches nothing fails.
const ALWAYS: [&str; 8] = [
    "--schema-only",
    "--no-password",
    "--encoding=UTF8",
    "--quote-all-identifiers",
    "--no-tablespaces",
    "--no-subscriptions",
    "--lock-wait-timeout=10000",
    "--strict-names",
];

impl DumpArgs {
    pub(super) fn command_line(&self, snapshot: Option<&str>) -> Vec<String> {
        let sections = self.sections.iter().map(|section| match section {
            Section::PreData => "--section=pre-data".to_string(),
            Section::PostData => "--section=post-data".to_string(),
        });
        // Inside double quotes a pattern matches itself alone: no wildcard, no case folding.
        let schemas =
            |option: &'static str, names: &[String]| list(option, names, |name| ident::quote(name));
        let tables = |option: &'static str, names: &[QName]| list(option, names, QName::sql);
        ALWAYS
            .into_iter()
            .map(String::from)
            .chain(sections)
            .chain(schemas("--schema", &self.schemas))
            .chain(self.extensions.then(|| "--extension=*".to_string()))
            .chain(schemas("--exclude-schema", &self.exclude_schemas))
            .chain(list(
                "--exclude-schema",
                &self.exclude_schema_patterns,
                String::clone,
            ))
            .chain(tables("--table", &self.tables))
            .chain(tables("--exclude-table", &self.exclude_tables))
            .chain(snapshot.map(|name| format!("--snapshot={name}")))
            .collect()
    }
}

fn list<T>(option: &str, names: &[T], pattern: impl Fn(&T) -> String) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("{option}={}", pattern(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_names_as_patterns_that_match_themselves_alone() {
        let args = DumpArgs {
            sections: vec![Section::PostData],
            schemas: vec!["Pub*lic".into()],
            extensions: true,
            exclude_schemas: vec!["a.b".into()],
            exclude_schema_patterns: vec!["undo_[0-9a-f-]{32,36}".into()],
            tables: vec![QName::new("s", "-t$(x)|y?[]\\")],
            exclude_tables: vec![QName::new("s", "q\"q")],
        };
        let line = args.command_line(Some("00000003-0000001B-1"));
        assert_eq!(
            line[ALWAYS.len()..],
            [
                "--section=post-data",
                "--schema=\"Pub*lic\"",
                "--extension=*",
                "--exclude-schema=\"a.b\"",
                "--exclude-schema=undo_[0-9a-f-]{32,36}",
                "--table=\"s\".\"-t$(x)|y?[]\\\"",
                "--exclude-table=\"s\".\"q\"\"q\"",
                "--snapshot=00000003-0000001B-1",
            ]
        );
    }
}
