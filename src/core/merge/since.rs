//! What an undo knows of rows that the restore inserted: it takes them away whole, so that each of their columns counts,
//! also those that the backup lacked, and those that came later.

use super::{Unit, differs, text};
use crate::core::ident;

/// A column that the table got after the restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    pub name: String,
    pub type_name: String,
    /// What adding the column gave the rows that were there, as text; nobody wrote it.
    pub given: Vec<String>,
}

impl Unit {
    fn came_since(&self, name: &str) -> bool {
        self.since.iter().any(|s| s.name == name)
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        let all = self.columns.iter().chain(&self.extra);
        all.map(|c| c.name.as_str())
            .filter(|name| !self.came_since(name))
    }

    /// Quoted names of the columns that kept rows hold.
    pub fn known_names(&self) -> impl Iterator<Item = String> {
        self.known().map(ident::quote)
    }

    /// The exact text of these.
    pub fn known_text(&self, alias: &str) -> String {
        text(self.known_names(), alias)
    }

    /// Whether a live row is, in all that is known of it, the row that was inserted.
    pub fn is_as_inserted(&self, kept: &str, live: &str) -> String {
        format!(
            "NOT ({}) AND {}",
            differs(self.known(), kept, live),
            self.is_unfilled(live)
        )
    }

    /// Whether nobody has written to the columns that came since.
    pub fn is_unfilled(&self, live: &str) -> String {
        let each = self.since.iter().map(|column| {
            let name = format!("{live}.{}", ident::quote(&column.name));
            let given = column.given.iter().map(|value| {
                // As in `differs`: not every type has an equality.
                format!(
                    " OR NOT ROW({name})::record OPERATOR(pg_catalog.*<>) ROW({}::{})::record",
                    ident::literal(value),
                    column.type_name
                )
            });
            format!("({name} IS NULL{})", given.collect::<String>())
        });
        let each: Vec<_> = each.collect();
        match each.is_empty() {
            true => "true".into(),
            false => each.join(" AND "),
        }
    }
}
