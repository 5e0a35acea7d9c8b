//! What a backup brings to another database: its definitions, read from the store and cut down to the choice.

use crate::core::ddl::{self, Entry, Filter, Kind};
use crate::core::extras::{Extras, Item};
use crate::core::ident::QName;
use crate::core::manifest::{Manifest, Object, SchemaStatus, Selection, Sequence, Table};
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::restore::{RestoreRequest, all_there};
use crate::tasks::segments::fetch_object;
use std::collections::BTreeSet;

pub struct Content<'a> {
    pub backup: &'a Manifest,
    /// In pg_dump's order, which is an order in which they can run.
    pub pre_data: Vec<Entry>,
    pub post_data: Vec<Entry>,
    pub extras: Extras,
    /// What the backup defines, chosen or not.
    pub defined: BTreeSet<QName>,
    pub filter: Filter,
    choice: &'a Selection,
    /// Tables of the platform that the target does not take rows of.
    unfit: BTreeSet<QName>,
}

impl<'a> Content<'a> {
    pub async fn load(store: &Store, request: &'a RestoreRequest) -> Result<Self> {
        let backup = &request.backup;
        let selection = &request.choice.selection;
        if selection.scope.is_some() && selection.scope != backup.selection.scope {
            return Err(Error::new(
                Code::Usage,
                "one tenant's rows of a backup that holds more can only be restored in place",
            )
            .hint(
                "Leave out --target-url, or restore a backup that was taken with this --scope.",
            ));
        }
        let pre_data = entries(store, backup.schema.pre_data.as_ref()).await?;
        let post_data = entries(store, backup.schema.post_data.as_ref()).await?;
        let extras = match &backup.schema.extras {
            Some(object) => Extras::from_json(&fetch_object(store, object).await?)?,
            None => Extras::default(),
        };
        let filter = Filter::new(&[&backup.selection, selection], &pre_data);
        let defined = pre_data.iter().chain(&post_data).filter_map(Entry::makes);
        let content = Self {
            backup,
            defined: defined.collect(),
            pre_data: chosen(pre_data, &filter),
            post_data: chosen(post_data, &filter),
            extras,
            filter,
            choice: selection,
            unfit: BTreeSet::new(),
        };
        content.holds(selection)?;
        Ok(content)
    }

    fn holds(&self, selection: &Selection) -> Result<()> {
        let all = &self.backup.tables;
        let is_table = |name: &QName| {
            let named = |t: &Table| t.name == *name || t.partition_root.as_ref() == Some(name);
            all.iter().any(named) || self.pre_data.iter().any(|e| e.table.as_ref() == Some(name))
        };
        let theirs = self.platform_tables().map(|t| t.name.schema.as_str());
        let made: BTreeSet<&str> = self.schemas().into_iter().chain(theirs).collect();
        all_there(selection, is_table, |schema| made.contains(schema))?;
        if self.with_platform().next().is_some() || !self.pre_data.is_empty() {
            return Ok(());
        }
        let message = "the backup holds nothing of the chosen schemas or tables";
        Err(Error::new(Code::NothingSelected, message)
            .hint("`rovodev show` lists what the backup holds."))
    }

    /// Whether the backup can make the tables, and not only fill them.
    pub fn has_definitions(&self) -> bool {
        self.backup.schema.status == SchemaStatus::Captured
    }

    /// Definitions of the app's roles; a part brings none.
    pub fn own_roles(&self) -> &[Item] {
        match self.is_partial() {
            true => &[],
            false => &self.extras.roles,
        }
    }

    /// Whether only some schemas or tables were chosen.
    pub fn is_partial(&self) -> bool {
        self.filter.is_partial()
    }

    /// The app's tables.
    pub fn tables(&self) -> impl Iterator<Item = &'a Table> {
        let all = self.backup.tables.iter().filter(|t| !t.platform);
        all.filter(|t| self.filter.keeps_rows(&t.name, t.partition_root.as_ref()))
    }

    /// Tables of the platform of which rows are added where they are missing, parents first. No choice but one of their
    /// own leaves them out: a backup of a part holds them where that was asked for.
    pub fn platform_tables(&self) -> impl Iterator<Item = &'a Table> {
        let all = self.backup.tables.iter().filter(|t| t.platform);
        all.filter(|t| self.choice.takes(&t.name) && !self.unfit.contains(&t.name))
    }

    pub fn with_platform(&self) -> impl Iterator<Item = &'a Table> {
        self.tables().chain(self.platform_tables())
    }

    /// Leaves a table of the platform out.
    pub fn leave_out(&mut self, table: &QName) {
        self.unfit.insert(table.clone());
    }

    /// Schemas in which the restore makes something.
    pub fn schemas(&self) -> BTreeSet<&str> {
        let defined = self.pre_data.iter().filter_map(|e| match e.kind {
            Kind::Schema => Some(e.name.as_str()),
            _ => e.schema.as_deref(),
        });
        defined
            .chain(self.tables().map(|t| t.name.schema.as_str()))
            .collect()
    }

    pub fn sequences(&self) -> impl Iterator<Item = &'a Sequence> {
        let keeps = |s: &Sequence| match &s.owned_by {
            Some(table) => self.filter.keeps_table(table),
            None => self.filter.keeps_sequence(&s.name),
        };
        self.backup.sequences.iter().filter(move |s| keeps(s))
    }

    /// Those that the definitions make.
    pub fn materialized_views(&self) -> impl Iterator<Item = &'a QName> {
        let made: BTreeSet<_> = self
            .pre_data
            .iter()
            .chain(&self.post_data)
            .filter(|e| e.kind == Kind::MaterializedView)
            .filter_map(|e| e.table.clone())
            .collect();
        let all = self.backup.materialized_views.iter();
        all.filter(move |view| made.contains(view))
    }

    /// Bytes of COPY text of the chosen tables.
    pub fn raw_bytes(&self) -> u64 {
        self.with_platform().map(|t| t.raw_bytes).sum()
    }
}

async fn entries(store: &Store, object: Option<&Object>) -> Result<Vec<Entry>> {
    let Some(object) = object else {
        return Ok(Vec::new());
    };
    let bytes = fetch_object(store, object).await?;
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        Error::new(Code::ObjectDamaged, format!("{} is no text", object.key)).source(e)
    })?;
    Ok(ddl::parse(text).entries)
}

fn chosen(entries: Vec<Entry>, filter: &Filter) -> Vec<Entry> {
    entries.into_iter().filter(|e| filter.keeps(e)).collect()
}
