//! The definitions of a backup, as text.

use crate::core::ddl::{self, Entry, Filter, Kind};
use crate::core::extras::Extras;
use crate::core::ident::QName;
use crate::core::manifest::{Manifest, Object, Sequence};
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::segments::fetch_object;
use std::collections::BTreeSet;

/// Empty where the backup has no definitions.
pub struct Ddl {
    /// In pg_dump's order, which is an order in which they can run.
    pub pre_data: Vec<Entry>,
    pub post_data: Vec<Entry>,
    /// Of a part of a database there are none.
    pub extras: Extras,
    /// Tables of the app whose rows the backup holds.
    present: BTreeSet<QName>,
    /// Tables of the platform of which it holds rows.
    platform: BTreeSet<QName>,
    filter: Filter,
    whole: bool,
    rows_alone: bool,
}

impl Ddl {
    pub async fn fetch(store: &Store, manifest: &Manifest) -> Result<Self> {
        let schema = &manifest.schema;
        let pre_data = ddl::parse(&text(store, schema.pre_data.as_ref()).await?).entries;
        let post_data = text(store, schema.post_data.as_ref()).await?;
        let present = tables(manifest);
        let post_data = without_checks_of_absent_rows(&post_data, &present);
        let filter = Filter::new(&[&manifest.selection], &pre_data);
        let mut extras = match &schema.extras {
            Some(object) => Extras::from_json(&fetch_object(store, object).await?)?,
            None => Extras::default(),
        };
        if filter.is_partial() {
            extras = Extras {
                roles: extras.roles,
                managed: extras.managed,
                ..Extras::default()
            };
        }
        let kept = |entries: Vec<Entry>| entries.into_iter().filter(|e| filter.keeps(e)).collect();
        Ok(Self {
            pre_data: kept(pre_data),
            post_data: kept(ddl::parse(&post_data).entries),
            extras,
            present,
            platform: platform_tables(manifest),
            filter,
            whole: schema.pre_data.is_some() && schema.post_data.is_some(),
            rows_alone: false,
        })
    }

    /// For a reader who may see rows and nothing else, whatever the backup holds.
    pub fn none(manifest: &Manifest) -> Self {
        Self {
            pre_data: Vec::new(),
            post_data: Vec::new(),
            extras: Extras::default(),
            present: BTreeSet::new(),
            platform: BTreeSet::new(),
            filter: Filter::new(&[&manifest.selection], &[]),
            whole: false,
            rows_alone: true,
        }
    }

    /// Whether nothing but rows may be told.
    pub fn rows_alone(&self) -> bool {
        self.rows_alone
    }

    /// Whether the tables can be made from it.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Foreign keys that the script makes without a look at the rows, since those they refer to are not in the backup.
    pub fn unchecked_keys(&self) -> impl Iterator<Item = String> {
        let held = |t: &QName| self.present.contains(t) || self.platform.contains(t);
        let keys = self.post_data.iter();
        let keys = keys.filter(move |e| e.references().is_some_and(|t| !held(&t)));
        keys.filter_map(Entry::key_to)
    }

    /// Foreign keys into the platform's rows, made without a look at them and checked at the end: the target may not have
    /// taken all of these.
    pub fn keys_into_the_platform(&self) -> impl Iterator<Item = &Entry> {
        let keys = self.post_data.iter().filter(|e| e.kind == Kind::ForeignKey);
        keys.filter(|e| e.references().is_some_and(|t| self.platform.contains(&t)))
    }

    /// Whether only some schemas or tables were chosen.
    pub fn is_partial(&self) -> bool {
        self.filter.is_partial()
    }

    /// Whether the script can set it: its definition was chosen, or must be there already.
    pub fn keeps_sequence(&self, sequence: &Sequence) -> bool {
        let kept = match &sequence.owned_by {
            Some(table) => self.filter.keeps_table(table),
            None => self.filter.keeps_sequence(&sequence.name),
        };
        !self.rows_alone && (kept || !self.whole)
    }

    /// The same of a materialized view.
    pub fn keeps_view(&self, view: &QName) -> bool {
        let mut made = self.pre_data.iter().chain(&self.post_data);
        let is_it = |e: &Entry| e.kind == Kind::MaterializedView && e.table.as_ref() == Some(view);
        !self.rows_alone && (!self.whole || made.any(is_it))
    }
}

async fn text(store: &Store, object: Option<&Object>) -> Result<String> {
    let Some(object) = object else {
        return Ok(String::new());
    };
    let bytes = fetch_object(store, object).await?;
    String::from_utf8(bytes.into()).map_err(|e| {
        Error::new(Code::ObjectDamaged, format!("{} is no text", object.key)).source(e)
    })
}

fn tables(manifest: &Manifest) -> BTreeSet<QName> {
    let own = || manifest.tables.iter().filter(|t| !t.platform);
    let roots = own().filter_map(|t| t.partition_root.clone());
    own().map(|t| t.name.clone()).chain(roots).collect()
}

fn platform_tables(manifest: &Manifest) -> BTreeSet<QName> {
    let theirs = manifest.tables.iter().filter(|t| t.platform);
    theirs.map(|t| t.name.clone()).collect()
}

/// Adds `NOT VALID` to foreign keys into tables whose rows are not in the backup (`auth.users`), which
/// would fail otherwise. New rows are still checked.
fn without_checks_of_absent_rows(post_data: &str, present: &BTreeSet<QName>) -> String {
    let mut out = String::with_capacity(post_data.len());
    let mut before = "";
    for line in post_data.split_inclusive('\n') {
        let text = line.trim_end();
        let absent = before.starts_with("ALTER TABLE ONLY ")
            && foreign_key_target(text).is_some_and(|t| !present.contains(&t));
        match text.strip_suffix(';') {
            Some(key) if absent && !key.ends_with(" NOT VALID") => {
                out.push_str(key);
                out.push_str(" NOT VALID;\n");
            }
            _ => out.push_str(line),
        }
        before = text;
    }
    out
}

/// The table that `    ADD CONSTRAINT … FOREIGN KEY (…) REFERENCES "schema"."table"(…)` refers to.
fn foreign_key_target(line: &str) -> Option<QName> {
    let key = line.strip_prefix("    ADD CONSTRAINT ")?;
    let (_, after) = key.split_once(" FOREIGN KEY (")?;
    let (_, target) = after.rsplit_once(" REFERENCES ")?;
    let (schema, rest) = quoted(target)?;
    let (name, _) = quoted(rest.strip_prefix('.')?)?;
    Some(QName { schema, name })
}

/// A quoted identifier at the start of a text, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_into_absent_tables_stay_unchecked() {
        let key = |target: &str| {
            format!(
                "ALTER TABLE ONLY \"public\".\"a\"\n    ADD CONSTRAINT \"k\" FOREIGN KEY (\"x\") REFERENCES {target} ON DELETE CASCADE;\n"
            )
        };
        let present = BTreeSet::from([QName::new("public", "b\"c")]);
        let inside = key("\"public\".\"b\"\"c\"(\"id\")");
        assert_eq!(without_checks_of_absent_rows(&inside, &present), inside);
        let outside = key("\"auth\".\"users\"(\"id\")");
        let changed = without_checks_of_absent_rows(&outside, &present);
        assert_eq!(changed, outside.replace("CASCADE;", "CASCADE NOT VALID;"));
        assert_eq!(without_checks_of_absent_rows(&changed, &present), changed);
        let other = "ALTER TABLE ONLY \"a\"\n    ADD CONSTRAINT \"k\" PRIMARY KEY (\"id\");\n";
        assert_eq!(without_checks_of_absent_rows(other, &present), other);
    }
}
