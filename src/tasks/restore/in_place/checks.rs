//! What would fail later is refused before anything is written.

use super::tenant;
use super::work::Work;
use crate::core::counted::counted;
use crate::core::manifest::{Manifest, Warning};
use crate::core::merge::apply::{self, Counts};
use crate::core::merge::constraints::{self, Unique};
use crate::core::merge::{ForeignKey, Unit};
use crate::core::restore_plan::Mode;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::source::lock_room;
use crate::ports::postgres::target::{Fires, TargetTable, TargetTrigger};
use crate::ports::postgres::{Identity, Session};
use std::collections::HashMap;

/// Rights, row security, triggers, locks, and whether the scope can mean anything.
pub async fn beforehand(work: &Work) -> Result<()> {
    rights(work)?;
    columns(work)?;
    for (index, _) in work.merged() {
        triggers(work, &work.targets[index])?;
    }
    if let Some(scope) = &work.scope {
        tenant::possible(work, scope).await?;
    }
    // Which tables change shows once they are compared; an undo changes all that are left.
    locks(work, |_| work.names.reverses.is_some()).await
}

/// Rows of another database may be somebody else's: a copy, a staging server, a second project.
pub fn another_source(target: &Identity, backup: &Manifest) -> Option<Warning> {
    let source = backup.source.as_ref()?;
    let same =
        source.database == target.database && source.system_identifier == target.system_identifier;
    (!same).then(|| Warning {
        code: "another_source".into(),
        message: format!(
            "the backup is of database {:?} on server {}, and this is database {:?} on server {} (a copy or an upgrade \
             of a server counts as another one)",
            source.database,
            source.system_identifier,
            target.database,
            target.system_identifier
        ),
    })
}

fn rights(work: &Work) -> Result<()> {
    if !work.rights.create_schemas {
        return Err(Error::new(Code::PermissionDenied, format!("the role may not create schemas in {}", work.target))
            .hint("GRANT CREATE ON DATABASE … to the role, or connect as the owner (on Supabase: postgres)."));
    }
    for (index, unit) in work.merged() {
        let table = &work.targets[index];
        // Rows of the platform are added, taken away again by an undo, and never changed.
        let needed = |right: &&String| !unit.platform || *right != "UPDATE";
        let missing: Vec<&str> = (table.missing_rights.iter().filter(needed))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("the role lacks {} on {}", missing.join(", "), unit.table),
            )
            .hint("Grant the rights, or connect as the owner (on Supabase: postgres)."));
        }
        if table.row_security {
            return Err(Error::new(
                Code::RowSecurity,
                format!(
                    "row level security hides rows of {} from the role",
                    unit.table
                ),
            )
            .hint("Connect as a role with BYPASSRLS (on Supabase: postgres)."));
        }
    }
    match work
        .keys
        .iter()
        .find(|k| needs_parent_lock(work, k) && !k.parent_lockable)
    {
        Some(key) => Err(Error::new(
            Code::PermissionDenied,
            format!(
                "the role may not hold rows of {}, to which {} refers",
                key.parent, key.child
            ),
        )
        .hint(format!(
            "GRANT SELECT, UPDATE ON {} to the role.",
            key.parent.sql()
        ))),
        None => Ok(()),
    }
}

/// Whether the rows of the key's parent must be held: the table is no part of the merge, or rows are held alone.
pub fn needs_parent_lock(work: &Work, key: &ForeignKey) -> bool {
    let merged = |unit: Option<usize>| unit.is_some_and(|u| work.units[u].merged);
    let locked_with_its_table = merged(key.parent_unit) && !work.rows_alone;
    key.validated && merged(key.child_unit) && !locked_with_its_table
}

/// PostgreSQL's limit for one table.
const MOST_COLUMNS: usize = 1600;

/// What the merge keeps of a row for its undo has columns of its own.
fn columns(work: &Work) -> Result<()> {
    let most = MOST_COLUMNS - apply::COLUMNS_OF_OURS;
    let wide = work.merged().find(|(_, u)| u.kept_names().count() > most);
    let Some((_, unit)) = wide else {
        return Ok(());
    };
    Err(Error::new(
        Code::TooManyColumns,
        format!(
            "{} has {} columns; a restore in place can keep rows of up to {most} for its undo",
            unit.table,
            unit.kept_names().count()
        ),
    )
    .hint("Leave the table out (choose the others with --table or --schema), or restore into another database with --target-url and copy its rows."))
}

/// Triggers and rules that would fire although we try not to.
fn triggers(work: &Work, table: &TargetTable) -> Result<()> {
    let refused = |what: String| {
        Err(Error::new(Code::TriggersFire, what).hint(
            "GRANT SET ON PARAMETER session_replication_role to the role, and connect as the owner of the tables.",
        ))
    };
    if let Some(t) = table
        .triggers
        .iter()
        .find(|t| fires(work, t) && (t.is_rule || !t.owned))
    {
        let kind = if t.is_rule { "rule" } else { "trigger" };
        return refused(format!(
            "{kind} {} on {} would fire and cannot be switched off by this role",
            t.name, t.table
        ));
    }
    if let (true, Some(t)) = (
        work.rows_alone,
        table.triggers.iter().find(|t| fires(work, t)),
    ) {
        return Err(Error::new(
            Code::TriggersFire,
            format!(
                "trigger {} on {} would fire, and switching it off would hold up the writers of every tenant",
                t.name, t.table
            ),
        )
        .hint("Enable it without ALWAYS or REPLICA, or restore whole tables."));
    }
    let keyed = work
        .keys
        .iter()
        .find(|k| [&k.child, &k.parent].contains(&&table.name));
    if let (false, Some(key)) = (work.rights.replica_role, keyed) {
        return refused(format!(
            "foreign key {} on {} would act while rows are restored, and the role may not silence it",
            key.name, key.child
        ));
    }
    let Some(unit) = work.units.iter().find(|u| u.oid == table.oid) else {
        return Ok(());
    };
    match table.deferrable.iter().find(|d| !d.can_be_rechecked(unit)) {
        Some(d) if work.rights.replica_role => Err(Error::new(
            Code::TriggersFire,
            format!(
                "deferrable constraint {} of {} cannot be rechecked",
                d.name, table.name
            ),
        )
        .hint("Make the constraint NOT DEFERRABLE.")),
        _ => Ok(()),
    }
}

/// Whether a trigger fires for the session that merges.
pub fn fires(work: &Work, trigger: &TargetTrigger) -> bool {
    match trigger.fires {
        Fires::Always => true,
        Fires::Replica => work.rights.replica_role,
        Fires::Origin => !work.rights.replica_role,
    }
}

/// Locks that are left to the app's sessions and to tables of ours that a restore has once.
const LOCKS_LEFT: u64 = 150;
/// Of a foreign key: the table on its other side, where that is no part of the merge, and its indexes.
const LOCKS_OF_A_KEY: u64 = 6;

/// Refuses beforehand what would fill the lock table, which stops every session of the server. A table whose rows
/// `change` (by unit) needs more: its TOAST and the index on that, its staging's, and the three of what is kept of it.
pub async fn locks(work: &Work, change: impl Fn(i32) -> bool) -> Result<()> {
    // Staging has a table, its TOAST, the index on that and a key; and there may be a sequence.
    let of = |t: &TargetTable| t.files.len() as u64 + u64::from(t.indexes) + 5;
    let more = |t: &TargetTable| 2 * t.files.len() as u64 + 3;
    let each = work.merged().map(|(index, unit)| {
        let table = &work.targets[index];
        let changes = change(unit.number);
        of(table) + if changes { more(table) } else { 0 }
    });
    let keys = work.keys.len() as u64 * LOCKS_OF_A_KEY;
    let needed = each.sum::<u64>() + keys;
    let room = lock_room(&work.session).await?;
    let free = room.free().saturating_sub(LOCKS_LEFT);
    if needed <= free {
        return Ok(());
    }
    let per_slot = room.objects / room.per_transaction.max(1);
    Err(Error::new(
        Code::LockTableFull,
        format!(
            "the merge needs up to {needed} locks on tables and indexes, and the server's lock table has room for {free} \
             beside what the app needs"
        ),
    )
    .hint(format!(
        "Raise max_locks_per_transaction (now {}) to at least {} and restart the server, or choose fewer tables.",
        room.per_transaction,
        (needed + LOCKS_LEFT + room.used) / per_slot.max(1) + 1
    )))
}

/// Rows that the target would refuse, and changes that a publication would refuse.
pub async fn rows(work: &Work, counts: &HashMap<i32, Counts>) -> Result<()> {
    for (index, unit) in work.merged() {
        let Some(counts) = counts.get(&unit.number) else {
            continue;
        };
        let table = &work.targets[index];
        if counts.change + counts.remove > 0
            && let Some(leaf) = table.published_without_identity.first()
        {
            return Err(Error::new(
                Code::PublishedWithoutIdentity,
                format!("{leaf} is published without a replica identity, so the server refuses to change or remove its rows"),
            )
            .hint(format!("ALTER TABLE {} REPLICA IDENTITY FULL, or take it out of the publication.", leaf.sql())));
        }
        if counts.add + counts.change > 0 {
            rejected(work, index).await?;
        }
    }
    Ok(())
}

/// Why the merge would fail at a value that must be unique and that another row took since. None can have where all rows
/// become those of the backup.
pub async fn taken(work: &Work, session: &Session) -> Result<Option<Error>> {
    let becomes_whole = |unit: &Unit| unit.mode(work.mode) == Mode::Exact && work.scope.is_none();
    for (index, unit) in work.merged().filter(|(_, unit)| !becomes_whole(unit)) {
        for unique in &work.targets[index].unique {
            let Some(sql) = constraints::taken(&work.names, unit, unique) else {
                continue;
            };
            let doing = format!("trying the unique indexes of {}", unit.table);
            let count: i64 = session.query_one(&doing, &sql, &[]).await?.get(0);
            if count > 0 {
                return Ok(Some(same_value(unit, unique, count.unsigned_abs())));
            }
        }
    }
    Ok(None)
}

fn same_value(unit: &Unit, unique: &Unique, rows: u64) -> Error {
    Error::new(
        Code::ConstraintViolated,
        format!(
            "{} of {} to be restored: another row has the same {} now (unique index {})",
            counted(rows, "row"),
            unit.table,
            unique.values.join(", "),
            unique.name
        ),
    )
    .hint("Change those other rows first, or restore into another database and take over what you need.")
}

async fn rejected(work: &Work, index: usize) -> Result<()> {
    let (unit, table) = (&work.units[index], &work.targets[index]);
    let was_not_null = |name: &str| {
        let all = work.sources[index].iter().flat_map(|t| &t.columns);
        all.filter(|c| c.name == name).all(|c| c.not_null)
    };
    let nulls = table
        .columns
        .iter()
        .filter(|c| c.not_null && unit.has_column(&c.name) && !was_not_null(&c.name))
        .map(|c| {
            (
                format!("NOT NULL of {}", c.name),
                constraints::nulls(&work.names, unit, &c.name),
            )
        });
    let checks = table.checks.iter().filter_map(|c| {
        Some((
            format!("CHECK {}", c.name),
            constraints::rejected(&work.names, unit, c)?,
        ))
    });
    for (what, sql) in nulls.chain(checks) {
        let doing = format!("trying the constraints of {}", unit.table);
        let count: i64 = work.session.query_one(&doing, &sql, &[]).await?.get(0);
        if count > 0 {
            return Err(Error::new(
                Code::ConstraintViolated,
                format!(
                    "{what} of {} does not hold for {} to be restored",
                    unit.table,
                    counted(count.unsigned_abs(), "row")
                ),
            )
            .hint("Drop or relax the constraint, or restore into another database."));
        }
    }
    Ok(())
}
