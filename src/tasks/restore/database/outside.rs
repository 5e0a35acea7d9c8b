//! What leads out of a part of a database: definitions that name what neither the restore makes nor the target has.
//! They are left out and named beforehand; a table that cannot do without is refused.

use super::content::Content;
use super::pre_data::Platform;
use super::target::Target;
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::ident::QName;
use crate::core::managed;
use crate::core::manifest::{Selection, Warning};
use crate::error::{Code, Error, Result};
use crate::tasks::restore::RestoreRequest;
use std::collections::{BTreeMap, BTreeSet};

/// Takes such definitions out of `content` and answers what is to be told of them.
pub async fn leave_out(
    content: &mut Content<'_>,
    target: &Target,
    request: &RestoreRequest,
) -> Result<Vec<Warning>> {
    let mut parts = Parts::new(content, target);
    if parts.outside.is_empty() {
        return Ok(Vec::new());
    }
    let there = target.has(&parts.outside).await?;
    let dropped = target.to_drop(content);
    let stays = |q: &QName| there.contains(q) && !dropped.iter().any(|s| s.name == q.schema);
    parts.outside.retain(|q| !stays(q));
    parts.follow();
    parts.refuse_tables(request)?;
    let told = parts.told(content);
    let left: BTreeSet<usize> = parts.left.into_keys().collect();
    let mut number = 0;
    let mut stay = |_: &Entry| {
        number += 1;
        !left.contains(&(number - 1))
    };
    content.pre_data.retain(&mut stay);
    content.post_data.retain(&mut stay);
    Ok(told)
}

struct Parts<'e> {
    /// Every entry and what it names, by number: those before the rows first.
    entries: Vec<(&'e Entry, BTreeSet<QName>)>,
    /// How many entries make an object: functions share names.
    made: BTreeMap<QName, usize>,
    /// What is named and not there.
    outside: BTreeSet<QName>,
    /// Entries that cannot be made, and what each of them lacks.
    left: BTreeMap<usize, QName>,
}

impl<'e> Parts<'e> {
    fn new(content: &'e Content<'_>, target: &Target) -> Self {
        let entries = content.pre_data.iter().chain(&content.post_data);
        let entries: Vec<_> = entries.map(|e| (e, e.needs())).collect();
        let platform = Platform::missing(content, target);
        let mut made = BTreeMap::new();
        for name in (entries.iter().map(|(e, _)| *e))
            .chain(&platform.pre_data)
            .filter_map(Entry::makes)
        {
            *made.entry(name).or_default() += 1;
        }
        let may_lead_out = LeadsOut::new(content);
        let named = |(entry, needs): &(&Entry, BTreeSet<QName>)| {
            let is_outside = |q: &&QName| !made.contains_key(*q) && may_lead_out.test(entry, q);
            needs.iter().filter(is_outside).cloned().collect::<Vec<_>>()
        };
        let outside = entries.iter().flat_map(named).collect();
        Self {
            entries,
            made,
            outside,
            left: BTreeMap::new(),
        }
    }

    /// What needs a thing that is left out is left out too.
    fn follow(&mut self) {
        loop {
            let lacks = |(number, (_, needs)): (usize, &(&Entry, BTreeSet<QName>))| {
                let lacking = needs.iter().find(|q| self.outside.contains(q))?;
                (!self.left.contains_key(&number)).then(|| (number, lacking.clone()))
            };
            let found: Vec<_> = self.entries.iter().enumerate().filter_map(lacks).collect();
            if found.is_empty() {
                return;
            }
            for (number, lacking) in found {
                self.leave(number, lacking);
            }
        }
    }

    fn leave(&mut self, number: usize, lacking: QName) {
        let entry = self.entries[number].0;
        self.left.insert(number, lacking.clone());
        if let Some(name) = entry.makes()
            && let Some(count) = self.made.get_mut(&name)
        {
            *count -= 1;
            if *count == 0 {
                self.outside.insert(name);
            }
        }
        // A view that comes as a rule has an empty stand-in.
        if let (Kind::Rule, Some(view)) = (entry.kind, &entry.table) {
            let stand_in = |e: &Entry| e.kind == Kind::View && e.table.as_ref() == Some(view);
            let replaced = statement::has_words(&entry.sql(), &["CREATE", "OR", "REPLACE", "VIEW"]);
            let place = self.entries.iter().position(|(e, _)| stand_in(e));
            if let (true, Some(place)) = (replaced, place) {
                self.leave(place, lacking);
            }
        }
    }

    fn refuse_tables(&self, request: &RestoreRequest) -> Result<()> {
        let tables = self.left.iter().filter_map(|(number, lacking)| {
            let entry = self.entries[*number].0;
            let needed = matches!(entry.kind, Kind::Table | Kind::Sequence);
            needed.then(|| format!("{} needs {}", entry.label(), self.chain(lacking)))
        });
        let tables: Vec<_> = tables.collect();
        if tables.is_empty() {
            return Ok(());
        }
        let hint = match is_partial(&request.choice.selection) {
            true => "Choose that too (--table, --schema), or restore the whole backup.",
            false => {
                "Restore in place into a database that has it, or take a backup that holds it too."
            }
        };
        Err(Error::new(
            Code::SchemaMissing,
            format!(
                "{}: neither in this restore nor in the target",
                tables.join("; ")
            ),
        )
        .hint(hint))
    }

    /// `app.email, which needs public.citext`.
    fn chain(&self, lacking: &QName) -> String {
        let made_by = |(number, _): &(&usize, &QName)| {
            self.entries[**number].0.makes().as_ref() == Some(lacking)
        };
        match self.left.iter().find(made_by) {
            Some((_, next)) if next != lacking => {
                format!("{lacking}, which needs {}", self.chain(next))
            }
            _ => lacking.to_string(),
        }
    }

    fn told(&self, content: &Content<'_>) -> Vec<Warning> {
        let left = self.left.iter().map(|(n, q)| (self.entries[*n].0, q));
        let named = left.filter(|(e, _)| !goes_with_another(e) && !content.filter.only_helps(e));
        let warning = |(entry, lacking): (&Entry, &QName)| Warning {
            code: "not_restored".into(),
            message: format!(
                "{} is left out: it needs {}, which is neither in this restore nor in the target",
                entry.label(),
                self.chain(lacking)
            ),
        };
        named.map(warning).collect()
    }
}

/// Which names can be judged by what the backup says; others may come with an extension or with the platform.
struct LeadsOut<'a> {
    content: &'a Content<'a>,
    /// Where the backup's own definitions were read: `None` for everywhere.
    read: Option<&'a [String]>,
    extensions: BTreeSet<String>,
}

impl<'a> LeadsOut<'a> {
    fn new(content: &'a Content<'_>) -> Self {
        let selection = &content.backup.selection;
        let by_schema = !selection.schemas.is_empty() && selection.tables.is_empty();
        let extensions = content.pre_data.iter();
        let extensions = extensions.filter(|e| e.kind == Kind::Extension);
        let schema_of = |e: &Entry| statement::word_after(e.statements.first()?, "SCHEMA");
        Self {
            content,
            read: by_schema.then_some(&selection.schemas),
            extensions: extensions.filter_map(schema_of).collect(),
        }
    }

    fn test(&self, entry: &Entry, name: &QName) -> bool {
        let unread = |schemas: &[String]| {
            !schemas.contains(&name.schema)
                && managed::is_app(&name.schema)
                && (entry.kind == Kind::ForeignKey || !self.extensions.contains(&name.schema))
        };
        self.content.defined.contains(name) || self.read.is_some_and(unread)
    }
}

/// What is not told of: it says something of another entry, which is.
fn goes_with_another(entry: &Entry) -> bool {
    matches!(
        entry.kind,
        Kind::Acl
            | Kind::Comment
            | Kind::SecurityLabel
            | Kind::IndexAttach
            | Kind::SequenceOwnedBy
            | Kind::RowSecurity
            | Kind::PublicationTable
    )
}

fn is_partial(selection: &Selection) -> bool {
    !selection.schemas.is_empty() || !selection.tables.is_empty()
}
