//! Sequences never fall behind: whichever of backup and target is further wins.

use super::select::picks;
use super::work::Work;
use crate::core::loaded;
use crate::core::manifest::{Manifest, Sequence, Warning};
use crate::core::restore_plan::Choice;
use crate::error::Result;
use crate::ports::postgres::Session;
use std::collections::HashMap;

const FIND: &str = "SELECT n.nspname::text, c.relname::text, s.seqincrement, s.seqmin, s.seqmax, \
     has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT') AND has_sequence_privilege(c.oid, 'UPDATE') \
   FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
   WHERE (n.nspname, c.relname) IN (SELECT s, t FROM unnest($1::text[], $2::text[]) w(s, t))";

/// Sequences of the chosen tables; those that belong to none come with their schema.
fn chosen<'a>(backup: &'a Manifest, choice: &'a Choice) -> impl Iterator<Item = &'a Sequence> {
    let whose = |s: &'a Sequence| s.owned_by.as_ref().unwrap_or(&s.name);
    let all = backup.sequences.iter();
    all.filter(move |s| picks(&choice.selection, whose(s), None))
}

/// For one tenant's rows, which take no numbers back: past those that the rows hold, and no further. In another
/// database than theirs nobody may have taken these numbers yet.
pub async fn pass_rows(work: &Work) -> Result<()> {
    let tables = work.merged().map(|(_, unit)| &unit.table);
    let sql = loaded::advance_sequences(tables);
    work.session.batch("moving sequences", &sql).await
}

/// Moves sequences forward, never back. `setval` outlives a rollback, which then only skips numbers.
pub async fn advance(
    session: &Session,
    backup: &Manifest,
    choice: &Choice,
) -> Result<Vec<Warning>> {
    let wanted: HashMap<(&str, &str), &Sequence> = chosen(backup, choice)
        .map(|s| ((s.name.schema.as_str(), s.name.name.as_str()), s))
        .collect();
    let (schemas, names): (Vec<&str>, Vec<&str>) = wanted.keys().copied().unzip();
    let doing = "moving sequences";
    let rows = session.query(doing, FIND, &[&schemas, &names]).await?;
    let (mut steps, mut warnings) = (Vec::new(), Vec::new());
    let mut seen = 0;
    for row in &rows {
        let Some(sequence) = wanted.get(&(row.get::<_, &str>(0), row.get::<_, &str>(1))) else {
            continue;
        };
        seen += 1;
        let (increment, min, max): (i64, i64, i64) = (row.get(2), row.get(3), row.get(4));
        let fits = (min..=max).contains(&sequence.last_value)
            && (increment > 0) == (sequence.increment > 0);
        match (row.get::<_, bool>(5), fits) {
            (true, true) => steps.push(forward(sequence, increment)),
            (false, _) => warnings.push(left(sequence, "the role may not set it")),
            (_, false) => warnings.push(left(sequence, "its range or direction changed")),
        }
    }
    if seen < wanted.len() {
        let missing = wanted.len() - seen;
        warnings.push(Warning {
            code: "sequence_missing".into(),
            message: format!(
                "of the backup's sequences, {} {} not exist here",
                missing,
                if missing == 1 { "does" } else { "do" }
            ),
        });
    }
    for some in steps.chunks(200) {
        session.batch(doing, &some.join("; ")).await?;
    }
    Ok(warnings)
}

/// Compares what each would hand out next.
fn forward(sequence: &Sequence, increment: i64) -> String {
    let next = |last: &str, called: &str| {
        format!("{last}::numeric + CASE WHEN {called} THEN {increment} ELSE 0 END")
    };
    let ours = next(
        &sequence.last_value.to_string(),
        &sequence.is_called.to_string(),
    );
    format!(
        "SELECT setval({name}::regclass, {last}, {called}) FROM {sql} WHERE {ours} {further} {theirs}",
        name = crate::core::ident::literal(&sequence.name.sql()),
        last = sequence.last_value,
        called = sequence.is_called,
        sql = sequence.name.sql(),
        further = if increment > 0 { ">" } else { "<" },
        theirs = next("last_value", "is_called"),
    )
}

fn left(sequence: &Sequence, why: &str) -> Warning {
    Warning {
        code: "sequence_left".into(),
        message: format!("sequence {} was left as it is: {why}", sequence.name),
    }
}
