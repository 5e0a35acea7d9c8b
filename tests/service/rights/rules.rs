//! Who gets through where.

/// Who gets through.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Least {
    Viewer,
    Operator,
    Admin,
    /// Nobody by an access token: a secret of its own opens it.
    Secret,
    /// Whoever has a link; a wrong one leads nowhere.
    Link,
}
use Least::{Admin, Link, Operator, Secret, Viewer};

/// One row per function and method, and per part of the workspace.
pub struct Rule {
    pub function: &'static str,
    pub method: &'static str,
    pub least: Least,
    pub body: &'static str,
    /// The status of a call that gets through.
    pub through: u16,
}

const fn rule(
    function: &'static str,
    method: &'static str,
    least: Least,
    body: &'static str,
    through: u16,
) -> Rule {
    Rule {
        function,
        method,
        least,
        body,
        through,
    }
}

pub const RULES: &[Rule] = &[
    rule("backups/list", "GET", Viewer, "", 200),
    rule(
        "backups/create",
        "POST",
        Operator,
        r#"{"type":"database"}"#,
        202,
    ),
    rule("backups/[id]/details", "GET", Viewer, "", 200),
    rule(
        "backups/[id]/details",
        "PATCH",
        Operator,
        r#"{"note":"n"}"#,
        200,
    ),
    rule("backups/[id]/details", "DELETE", Admin, "", 204),
    rule("backups/[id]/restore", "POST", Admin, "{}", 202),
    rule(
        "backups/[id]/restore",
        "POST",
        Viewer,
        r#"{"preview":true}"#,
        202,
    ),
    // Nothing is running: who may cancel is told so. What runs: `restores.rs`.
    rule("backups/[id]/restore", "DELETE", Operator, "", 409),
    rule("backups/[id]/restore/status", "GET", Viewer, "", 200),
    rule(
        "backups/[id]/download",
        "POST",
        Operator,
        r#"{"format": "tar"}"#,
        201,
    ),
    rule("backups/[id]/download", "GET", Link, "", 404),
    rule("backups/[id]/download", "DELETE", Operator, "", 204),
    rule("status/health", "GET", Viewer, "", 200),
    rule("schedules", "GET", Viewer, "", 200),
    rule("schedules?id=[id]", "GET", Viewer, "", 200),
    rule(
        "schedules?id=[id]&preview=retention",
        "GET",
        Viewer,
        "",
        200,
    ),
    rule(
        "schedules",
        "POST",
        Admin,
        r#"{"name":"n","cron":"0 2 * * *"}"#,
        201,
    ),
    rule("schedules", "POST", Operator, r#"{"runNow":"[id]"}"#, 202),
    rule("schedules", "POST", Admin, r#"{"makeHook":"[id]"}"#, 201),
    rule("schedules", "POST", Admin, r#"{"removeHook":"[id]"}"#, 204),
    rule(
        "schedules",
        "POST",
        Viewer,
        r#"{"preview":true,"id":"[id]","cron":"0 2 * * *"}"#,
        200,
    ),
    rule(
        "schedules?id=[id]",
        "PATCH",
        Admin,
        r#"{"enabled":false}"#,
        200,
    ),
    rule("schedules?id=[id]", "DELETE", Admin, "", 204),
    rule("workspace/activity", "GET", Viewer, "", 200),
    rule("workspace/restores", "GET", Viewer, "", 200),
    rule("workspace/channels", "GET", Operator, "", 200),
    rule("workspace/channels?id=[id]", "GET", Operator, "", 200),
    rule(
        "workspace/channels?id=[id]&show=deliveries",
        "GET",
        Operator,
        "",
        200,
    ),
    rule(
        "workspace/channels",
        "POST",
        Admin,
        r#"{"kind":"webhook","name":"n","target":"https://example.com/","events":["backup.failed"]}"#,
        201,
    ),
    rule(
        "workspace/channels",
        "POST",
        Admin,
        r#"{"test":"[id]"}"#,
        200,
    ),
    rule(
        "workspace/channels?id=[id]",
        "PATCH",
        Admin,
        r#"{"enabled":false}"#,
        200,
    ),
    rule("workspace/channels?id=[id]", "DELETE", Admin, "", 204),
    rule("workspace/metrics", "GET", Viewer, "", 200),
    rule("cron/tick", "GET", Secret, "", 401),
    rule("hooks/deploy", "POST", Secret, "", 401),
];
