//! A restore's plan and outcome as people read them.

use crate::human;
use crate::table::Columns;
use dialoguer::console::style;
use rovodev::core::restore_plan::{BrokenReference, Mode, Outcome, Plan, TablePlan};
use std::time::Duration;

pub fn text(plan: &Plan) -> String {
    let way = match plan.mode {
        Some(Mode::Exact) => "in place, exact",
        Some(Mode::Missing) => "in place, missing rows",
        Some(Mode::KeepNewer) => "in place, keeping newer rows",
        None => "made anew",
    };
    let taken = human::exact(plan.backup_taken_at);
    let mut lines = vec![format!(
        "Restoring {} ({taken})\ninto {}\n{way}{}:\n",
        plan.backup_name,
        plan.target,
        scope(plan)
    )];
    if !plan.tables.is_empty() {
        lines.push(table(plan));
    }
    lines.extend(plan.tables.iter().filter_map(removed));
    lines.push(String::new());
    lines.extend(plan.broken_references.iter().map(broken));
    if plan.objects_to_create > 0 {
        lines.push(format!(
            "Makes {}.",
            human::counted(plan.objects_to_create, "object")
        ));
    }
    for (schema, rows) in &plan.schemas_to_drop {
        lines.push(format!(
            "Drops schema {schema} with about {}.",
            human::counted(*rows, "row")
        ));
    }
    lines.extend(plan.locks.iter().map(|lock| format!("Locks: {lock}.")));
    lines.push(room(plan));
    let notes = plan.notes.iter();
    lines.extend(notes.map(|n| format!("Note: {}.", n.message)));
    let warnings = plan.warnings.iter();
    lines.extend(warnings.map(|w| format!("{} {}", style("!").yellow().bold(), w.message)));
    lines.join("\n")
}

/// Whether the modes would do different things; `plan` is that of the mode `exact`.
pub fn modes_differ(plan: &Plan) -> bool {
    plan.mode == Some(Mode::Exact) && plan.change() + plan.remove() > 0
}

/// The modes, and what each would do; `plan` is that of the first.
pub fn modes(plan: &Plan) -> [(Mode, String); 3] {
    let back = format!("{} back", human::counted(plan.add(), "row"));
    let changed = format!("{} changed back", human::count(plan.change()));
    let removed = format!("{} removed", human::count(plan.remove()));
    [
        (
            Mode::Exact,
            format!("exact       {back}, {changed}, {removed}"),
        ),
        (
            Mode::KeepNewer,
            format!("keep-newer  {back}, {changed}; none removed"),
        ),
        (
            Mode::Missing,
            format!("missing     {back}; none changed, none removed"),
        ),
    ]
}

/// A plan that stays one, for people.
pub fn dry_text(plan: &Plan, mode_said: bool) -> String {
    let mut text = format!("{}\n\n", text(plan));
    if !mode_said && modes_differ(plan) {
        text += "What each --mode would do (this plan is the first, the default):\n";
        for (_, told) in modes(plan) {
            text += &format!("  {told}\n");
        }
        text += "\n";
    }
    text + "A dry run: nothing was changed."
}

fn scope(plan: &Plan) -> String {
    let scope = plan.scope.as_ref();
    let scope = scope.map(|s| format!(", only rows of {}={}", s.column, s.value));
    scope.unwrap_or_default()
}

fn broken(reference: &BrokenReference) -> String {
    let refused = style("Refused:").red().bold();
    format!("{refused} {reference}. {}", reference.remedy)
}

fn table(plan: &Plan) -> String {
    let heads = ["<Table", ">In backup", ">Add", ">Change", ">Remove"];
    let mut table = Columns::new(&heads).giving_way(0, 12);
    let row = |name: String, rows: u64, t: [u64; 3]| {
        [
            name,
            human::count(rows),
            number(t[0]),
            number(t[1]),
            number(t[2]),
        ]
    };
    for t in &plan.tables {
        let name = t.table.to_string();
        table.row(row(name, t.rows_in_backup, [t.add, t.change, t.remove]));
    }
    let rows = plan.tables.iter().map(|t| t.rows_in_backup).sum();
    table.row(row(
        "together".into(),
        rows,
        [plan.add(), plan.change(), plan.remove()],
    ));
    table.text()
}

/// When the rows were made that would go.
fn removed(table: &TablePlan) -> Option<String> {
    let (oldest, newest) = table.removed_between.as_ref()?;
    Some(format!(
        "Removes from {} rows of {} to {}.",
        table.table,
        human::exact(*oldest),
        human::exact(*newest)
    ))
}

fn room(plan: &Plan) -> String {
    let free = match plan.bytes_free {
        Some(free) => format!(", of {} free", human::bytes(free)),
        None => " (SQL cannot tell what is free there)".into(),
    };
    let time = human::seconds(Duration::from_secs(plan.estimated_seconds.max(1)));
    format!(
        "Needs at most {} on the target's disk{free}, and about {time}.",
        human::bytes(plan.bytes_needed)
    )
}

/// What an undo did, or would do, table by table.
pub fn changes(outcome: &Outcome) -> String {
    let heads = ["<Table", ">Added", ">Changed", ">Removed"];
    let mut table = Columns::new(&heads).giving_way(0, 12);
    for t in &outcome.changes {
        let numbers = [t.added, t.changed, t.removed].map(number);
        table.row([t.table.to_string()].into_iter().chain(numbers));
    }
    table.text()
}

fn number(rows: u64) -> String {
    match rows {
        0 => "-".into(),
        rows => human::count(rows),
    }
}

/// How to reverse what was done, and until when; nothing where nothing was. `what` can be undone.
pub fn undo_with(what: &str, outcome: &Outcome) -> String {
    let id = human::operation(outcome.operation);
    match (&outcome.undo_schema, outcome.undo_until) {
        (None, _) => String::new(),
        (Some(_), None) => format!("\n{what} be undone:  rovodev restore --undo {id}"),
        (Some(_), Some(until)) => format!(
            "\n{what} be undone until {}:  rovodev restore --undo {id}",
            human::exact(until)
        ),
    }
}

/// `3 rows added, 2 changed, 1 removed in 2 of 4 tables`
pub fn done(outcome: &Outcome) -> String {
    let all = human::counted(outcome.tables, "table");
    let tables = match outcome.changes.len() as u64 {
        changed if changed == 0 || changed == outcome.tables => all,
        changed => format!("{} of {all}", human::count(changed)),
    };
    format!(
        "{} added, {} changed, {} removed in {tables}",
        human::counted(outcome.rows_added, "row"),
        human::count(outcome.rows_changed),
        human::count(outcome.rows_removed),
    )
}
