//! Which tables of the backup are merged into which tables of the target, and whether they still fit.

use super::reach;
use crate::core::ident::QName;
use crate::core::manifest::{Manifest, Scope, Selection, Table, Warning};
use crate::core::merge::{Column, Generated, Unit};
use crate::core::restore_plan::{Choice, Component};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::target::{self, Found, TargetTable};
use crate::tasks::restore::all_there;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is merged, and with which of the backup's tables.
pub struct Selected {
    pub units: Vec<Unit>,
    /// The target's tables, in the order of the units.
    pub targets: Vec<TargetTable>,
    /// The backup's tables of each unit: one, or the leaves of a partitioned table.
    pub sources: Vec<Vec<Table>>,
    pub scope: Option<Scope>,
    pub warnings: Vec<Warning>,
}

/// Chooses tables, finds them in the target and refuses what no longer fits.
pub async fn select(session: &Session, backup: &Manifest, choice: &Choice) -> Result<Selected> {
    let scope = scope(backup, choice)?;
    holds(backup, &choice.selection)?;
    let chosen = chosen(backup, choice, scope.is_some())?;
    let names: BTreeSet<QName> = chosen
        .iter()
        .flat_map(|(t, _)| std::iter::once(&t.name).chain(&t.partition_root))
        .cloned()
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    let found = target::find(session, &names).await?;
    let mut groups = group(backup, choice, &chosen, &found);
    let oids: Vec<u32> = groups
        .keys()
        .filter_map(|n| found.get(n))
        .map(|f| f.oid)
        .collect();
    let mut tables: HashMap<QName, TargetTable> = target::tables(session, &oids)
        .await?
        .into_iter()
        .map(|t| (t.name.clone(), t))
        .collect();
    if let Some(scope) = &scope {
        reach::narrow(session, &mut groups, &tables, scope, &choice.selection).await?;
    }
    let mut drift: Vec<String> = groups
        .keys()
        .filter_map(|name| missing(name, found.get(name)))
        .collect();
    let mut selected = Selected {
        units: Vec::new(),
        targets: Vec::new(),
        sources: Vec::new(),
        scope,
        warnings: Vec::new(),
    };
    for (name, (sources, merged)) in groups {
        let Some(table) = tables.remove(&name) else {
            continue;
        };
        let number = i32::try_from(selected.units.len()).map_err(|_| {
            Error::new(
                Code::LockTableFull,
                "more tables than can be merged at once",
            )
        })?;
        let added = differences(&sources, &table, &mut drift);
        if let (true, Some(message)) = (merged, added) {
            let code = "schema_drift".into();
            selected.warnings.push(Warning { code, message });
        }
        selected
            .units
            .push(unit(number, sources[0], &table, merged));
        selected.targets.push(table);
        selected
            .sources
            .push(sources.into_iter().cloned().collect());
    }
    if drift.is_empty() {
        Ok(selected)
    } else {
        Err(drifted(&drift))
    }
}

fn holds(backup: &Manifest, selection: &Selection) -> Result<()> {
    let tables = || backup.tables.iter();
    let named =
        |t: &Table, name: &QName| t.name == *name || t.partition_root.as_ref() == Some(name);
    let schemas = tables()
        .map(|t| t.name.schema.as_str())
        .chain(backup.sequences.iter().map(|s| s.name.schema.as_str()));
    let schemas = BTreeSet::from_iter(schemas);
    all_there(
        selection,
        |name| tables().any(|t| named(t, name)),
        |schema| schemas.contains(schema),
    )
}

fn scope(backup: &Manifest, choice: &Choice) -> Result<Option<Scope>> {
    match (&backup.selection.scope, &choice.selection.scope) {
        (Some(held), Some(asked)) if !held.is_same_tenant(asked) => Err(Error::new(
            Code::NothingSelected,
            format!(
                "the backup holds the rows of {}={} alone, not of {}={}",
                held.column, held.value, asked.column, asked.value
            ),
        )),
        (held, asked) => Ok(held.clone().or_else(|| asked.clone())),
    }
}

/// Tables of the backup that are chosen, each with whether it is merged. For one tenant's rows, everything else is
/// staged too: membership follows foreign keys through tables that were not chosen.
fn chosen<'a>(
    backup: &'a Manifest,
    choice: &Choice,
    scoped: bool,
) -> Result<Vec<(&'a Table, bool)>> {
    let wants_rows =
        choice.components.is_empty() || choice.components.contains(&Component::Database);
    let chosen: Vec<_> = backup
        .tables
        .iter()
        // They are everybody's: nothing of them is a tenant's.
        .filter(|t| !(scoped && t.platform))
        .map(|t| {
            (
                t,
                wants_rows && picks(&choice.selection, &t.name, t.partition_root.as_ref()),
            )
        })
        .filter(|(_, merged)| *merged || scoped)
        .collect();
    if chosen.iter().any(|(_, merged)| *merged) {
        return Ok(chosen);
    }
    Err(Error::new(
        Code::NothingSelected,
        "the backup holds none of the chosen tables",
    )
    .hint("`rovodev show` lists what a backup holds."))
}

/// Whether a selection takes a table.
pub fn picks(selection: &Selection, table: &QName, root: Option<&QName>) -> bool {
    let any = selection.schemas.is_empty() && selection.tables.is_empty();
    any || selection.schemas.contains(&table.schema)
        || selection.tables.contains(table)
        || root.is_some_and(|r| selection.tables.contains(r))
}

pub(super) type Groups<'a> = BTreeMap<QName, (Vec<&'a Table>, bool)>;

/// Leaves are merged at the partitioned table above them, unless the backup or the choice holds only some of them:
/// rows in the others would look as if they had come since.
fn group<'a>(
    backup: &Manifest,
    choice: &Choice,
    chosen: &[(&'a Table, bool)],
    found: &HashMap<QName, Found>,
) -> Groups<'a> {
    let whole = |root: &QName, at: &Found| {
        !at.has_foreign_partition
            && [&backup.selection, &choice.selection]
                .iter()
                .all(|s| at.leaves.iter().all(|leaf| picks(s, leaf, Some(root))))
    };
    let mut groups = Groups::new();
    for (table, merged) in chosen {
        let root = table.partition_root.as_ref();
        let name = match root.map(|r| (r, found.get(r))) {
            Some((root, Some(at))) if !whole(root, at) => &table.name,
            Some((root, _)) => root,
            None => &table.name,
        };
        let group = groups.entry(name.clone()).or_default();
        group.0.push(table);
        group.1 |= merged;
    }
    groups
}

/// What is said of a table that the target lacks.
const GONE: &str = "does not exist in the target any more";

fn missing(name: &QName, found: Option<&Found>) -> Option<String> {
    match found {
        None => Some(format!("{name} {GONE}")),
        Some(f) if !f.is_table => Some(format!("{name} is no table any more")),
        Some(_) => None,
    }
}

/// Notes what does not fit; returns a warning about columns that the target has besides.
fn differences(
    sources: &[&Table],
    target: &TargetTable,
    drift: &mut Vec<String>,
) -> Option<String> {
    let name = &target.name;
    // The platform's tables differ by its version: what both have comes back.
    let fits_any = sources.iter().any(|t| t.platform);
    for column in sources.iter().flat_map(|t| &t.columns) {
        let what = match target.columns.iter().find(|c| c.name == column.name) {
            _ if fits_any => continue,
            None => "does not exist any more".to_string(),
            Some(now) if now.generated => "is generated now".to_string(),
            Some(now) if now.type_name != column.type_name => {
                format!("was {} and is {} now", column.type_name, now.type_name)
            }
            Some(_) => continue,
        };
        let told = format!("{name}.{} {what}", column.name);
        // Each partition of the backup has the column.
        if !drift.contains(&told) {
            drift.push(told);
        }
    }
    let key: Vec<&str> = target.key.iter().map(|k| k.name.as_str()).collect();
    if let [only] = sources
        && only.partition_root.is_none()
        && only.primary_key != key
    {
        let shown = |key: &[&str]| {
            if key.is_empty() {
                "none".into()
            } else {
                key.join(", ")
            }
        };
        let was: Vec<&str> = only.primary_key.iter().map(String::as_str).collect();
        drift.push(format!(
            "the primary key of {name} was {} and is {} now",
            shown(&was),
            shown(&key)
        ));
    }
    let added: Vec<_> = target
        .columns
        .iter()
        .filter(|c| !c.generated && !sources[0].columns.iter().any(|b| b.name == c.name))
        .collect();
    for column in added.iter().filter(|c| c.not_null && !c.has_default) {
        drift.push(format!(
            "{name}.{} is new, takes no NULL and has no default",
            column.name
        ));
    }
    let names: Vec<_> = added.iter().map(|c| c.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{name} has columns that the backup lacks ({}): rows that come back take their defaults, others keep what they hold",
            names.join(", ")
        )
    })
}

fn drifted(drift: &[String]) -> Error {
    let mut lines: Vec<_> = drift.iter().take(20).cloned().collect();
    if drift.len() > lines.len() {
        lines.push(format!("and {} more", drift.len() - lines.len()));
    }
    let error = Error::new(
        Code::SchemaDrift,
        format!(
            "the target's tables no longer fit the backup: {}",
            lines.join("; ")
        ),
    );
    match drift.iter().any(|d| d.ends_with(GONE)) {
        true => error.hint(
            "A restore in place brings rows back, not tables. Make the table again (your migrations) and restore then, \
             or restore into an empty database by --target-url and copy what you need, or choose only the tables that \
             fit. Where nothing of the app is left in this database, --target-url with its own URL brings everything.",
        ),
        false => error.hint(
            "Restore into another database and take over what you need, or choose only the tables that fit.",
        ),
    }
}

fn unit(number: i32, source: &Table, target: &TargetTable, merged: bool) -> Unit {
    let column = |name: &str| {
        let now = target.columns.iter().find(|c| c.name == name);
        Column {
            name: name.to_string(),
            type_name: now.map(|c| c.type_name.clone()).unwrap_or_default(),
            identity_always: now.is_some_and(|c| c.identity_always),
        }
    };
    let written = |name: &str| {
        let now = target.columns.iter().find(|c| c.name == name);
        !source.platform || now.is_some_and(|c| !c.generated)
    };
    let (own, ignored): (Vec<_>, Vec<_>) = source.columns.iter().partition(|c| written(&c.name));
    let columns: Vec<Column> = own.iter().map(|c| column(&c.name)).collect();
    let is_staged = |name: &String| columns.iter().any(|c| c.name == *name);
    let extra = target
        .columns
        .iter()
        .filter(|c| !c.generated && !is_staged(&c.name))
        .map(|c| column(&c.name))
        .collect();
    let generated = |name: &String| {
        target
            .columns
            .iter()
            .any(|c| c.generated && c.name == *name)
    };
    let computed = target.columns.iter().filter_map(|c| {
        Some(Generated {
            name: c.name.clone(),
            type_name: c.type_name.clone(),
            expression: c.expression.clone()?,
        })
    });
    // A generated column moves with columns that we do not know: any change may collide.
    let special = if target.special.iter().any(generated) {
        columns.iter().map(|c| c.name.clone()).collect()
    } else {
        let always = columns
            .iter()
            .filter(|c| c.identity_always)
            .map(|c| &c.name);
        let special = target.special.iter().filter(|s| is_staged(s)).chain(always);
        special
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    Unit {
        number,
        table: target.name.clone(),
        oid: target.oid,
        partitioned: target.partitioned,
        columns,
        extra,
        since: Vec::new(),
        generated: computed.collect(),
        key: target.key.clone(),
        special,
        merged,
        platform: source.platform,
        ignored: ignored.iter().map(|c| c.name.clone()).collect(),
    }
}
