//! SQL whose failure must not stop a script, as blocks that turn the failure into a warning. So it holds under
//! `ON_ERROR_STOP` and in one transaction alike.

use crate::core::ident::{dollars, literal};

/// What may fail: as a restore into another database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Only where the target lacks something that the SQL names.
    OfMissing,
    /// Whatever the target says. What is there already is not even told.
    Of,
}

const LACKING: &str = "undefined_table OR undefined_column OR undefined_function OR undefined_object OR invalid_schema_name";
const THERE: &str = "duplicate_object OR duplicate_schema OR duplicate_table OR duplicate_function";

/// One statement that runs the plpgsql statements of `body` together or not at all. `label` says what fails.
pub fn block(label: &str, body: &str, tolerance: Tolerance) -> String {
    let label = literal(&format!("not restored: {label}: "));
    let tell = format!("RAISE WARNING USING MESSAGE = {label} || SQLERRM;");
    let handlers = match tolerance {
        Tolerance::OfMissing => format!("WHEN {LACKING} THEN {tell}"),
        Tolerance::Of => format!("WHEN {THERE} THEN NULL;\n  WHEN OTHERS THEN {tell}"),
    };
    let block = format!("\nBEGIN\n{body}EXCEPTION\n  {handlers}\nEND\n");
    format!("DO {};\n", dollars(&block))
}

/// The plpgsql statement that runs SQL.
pub fn execute(sql: &str) -> String {
    format!("EXECUTE {};\n", dollars(sql))
}

/// One statement that tells something where an SQL condition does not hold.
pub fn warning_unless(condition: &str, told: &str) -> String {
    let told = literal(told);
    let check = format!(
        "\nBEGIN\nIF NOT {condition} THEN\n  RAISE WARNING USING MESSAGE = {told};\nEND IF;\nEND\n"
    );
    format!("DO {};\n", dollars(&check))
}

/// Whether the session may give objects to a role, as SQL. Since PostgreSQL 16 a member may lack that right.
pub fn may_give_to(role: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {} AND CASE WHEN \
         pg_catalog.current_setting('server_version_num')::int >= 160000 THEN pg_catalog.pg_has_role(oid, 'SET') \
         ELSE pg_catalog.pg_has_role(oid, 'MEMBER') END)",
        literal(role)
    )
}
