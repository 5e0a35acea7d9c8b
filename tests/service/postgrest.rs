//! The catalog reached past the functions: every table and function of it, called at PostgREST directly.

use crate::stack::{Person, Running};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Functions that people may call, and those that whoever holds a link may.
const OF_PEOPLE: &[&str] = &[
    "rovodev_cancel",
    "rovodev_change_backup",
    "rovodev_change_channel",
    "rovodev_change_schedule",
    "rovodev_create_backup",
    "rovodev_create_channel",
    "rovodev_create_schedule",
    "rovodev_delete_backup",
    "rovodev_delete_channel",
    "rovodev_delete_schedule",
    "rovodev_download_backup",
    "rovodev_list_activity",
    "rovodev_list_backups",
    "rovodev_list_channels",
    "rovodev_list_restores",
    "rovodev_list_schedules",
    "rovodev_note_activity_export",
    "rovodev_note_list_export",
    "rovodev_note_refusal",
    "rovodev_open_download_link",
    "rovodev_read_metrics",
    "rovodev_restore_backup",
    "rovodev_revoke_downloads",
    "rovodev_run_schedule",
    "rovodev_set_hook",
    "rovodev_show_channel",
    "rovodev_show_schedule",
    "rovodev_test_channel",
    "rovodev_whoami",
];
const OF_ANYBODY: &[&str] = &["rovodev_open_download_link"];
const OF_JOBS: &[&str] = &[
    "rovodev_claim_checks",
    "rovodev_claim_chore",
    "rovodev_claim_deliveries",
    "rovodev_claim_read_back",
    "rovodev_claim_schedules",
    "rovodev_dropped_exports",
    "rovodev_due_retention",
    "rovodev_due_schedules",
    "rovodev_earlier_backups",
    "rovodev_end_delivery",
    "rovodev_end_job",
    "rovodev_end_undos",
    "rovodev_end_unworked",
    "rovodev_ended_exports",
    "rovodev_expire_backups",
    "rovodev_note_read_back",
    "rovodev_operators_cancel",
    "rovodev_operators_change_schedule",
    "rovodev_operators_create_backup",
    "rovodev_operators_create_schedule",
    "rovodev_operators_delete_backup",
    "rovodev_operators_delete_schedule",
    "rovodev_operators_list_backups",
    "rovodev_operators_list_restores",
    "rovodev_operators_list_schedules",
    "rovodev_operators_list_tenants",
    "rovodev_operators_restore_backup",
    "rovodev_operators_run_schedule",
    "rovodev_operators_set_hook",
    "rovodev_operators_set_quota",
    "rovodev_operators_show_backup",
    "rovodev_operators_show_schedule",
    "rovodev_prune_notifications",
    "rovodev_put_off_chore",
    "rovodev_read_gauges",
    "rovodev_receive_deployment",
    "rovodev_receive_hook",
    "rovodev_record_safety_backup",
    "rovodev_record_stream",
    "rovodev_renew_job",
    "rovodev_return_job",
    "rovodev_sweep",
    "rovodev_take_job",
    "rovodev_tell_overdue",
    "rovodev_told_check",
    "rovodev_waiting_jobs",
];
/// What policies and functions with the caller's own rights ask; their schema is not exposed.
const HELPERS: &[&str] = &[
    "caller",
    "my_role",
    "my_scopes",
    "my_storage",
    "my_tenant",
    "my_tenants",
    "refusal",
];
/// Whose columns people read, under RLS.
const READABLE: &[&str] = &[
    "backup_schedules",
    "backups",
    "restore_operations",
    "rovodev_audit_log",
    "rovodev_exports",
    "rovodev_members",
    "rovodev_read_backs",
    "rovodev_tenants",
];

/// As Supabase has it in newer projects.
const NO_DEFAULT_PRIVILEGES: &str = "
    ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM anon, authenticated, service_role;
    ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM anon, authenticated, service_role;
    ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON SEQUENCES FROM anon, authenticated, service_role;";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_under_the_older_default_privileges() {
    everything_is_shut(Running::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_without_default_privileges() {
    everything_is_shut(Running::start_after(NO_DEFAULT_PRIVILEGES).await).await;
}

pub async fn everything_is_shut(running: Running) {
    let direct = Direct::new(&running).await;
    direct.rights_are_those_named().await;
    let before = direct.rows().await;
    let (stranger, customer) = (
        running.sign_in(Person::Stranger).await,
        running.sign_in(Person::Customer).await,
    );
    for table in direct.tables().await {
        direct.table_is_shut(&table, None).await;
        direct.table_is_shut(&table, Some(&stranger)).await;
        direct.table_is_shut(&table, Some(&customer)).await;
    }
    for (name, arguments) in direct.functions().await {
        for (who, allowed) in [
            (None, OF_ANYBODY),
            (Some(&stranger), OF_PEOPLE),
            (Some(&customer), OF_PEOPLE),
        ] {
            let (status, answer) = direct.call(&name, &arguments, who).await;
            match allowed.contains(&name.as_str()) {
                true => assert!(
                    gives_nothing(&name, &answer),
                    "{name} as {who:?}: {status} {answer}"
                ),
                false => assert!(is_shut(&answer), "{name} as {who:?}: {status} {answer}"),
            }
        }
    }
    assert_eq!(
        direct.rows().await,
        before,
        "somebody without a right changed something"
    );
    let hidden = running
        .request("GET", "/rest/v1/migrations")
        .header("apikey", &running.project.keys().secret)
        .header("accept-profile", "rovodev");
    assert_eq!(hidden.send().await.unwrap().status(), 406);
}

/// No right, or not even seen: what nobody may touch is not always shown. (The rights themselves are looked at too.)
fn is_shut(answer: &Value) -> bool {
    ["42501", "PGRST202", "PGRST204", "PGRST205"]
        .iter()
        .any(|code| answer["code"] == *code)
}

/// A refusal, nothing at all, or what is the caller's own.
fn gives_nothing(name: &str, answer: &Value) -> bool {
    answer["outcome"] == "refused"
        || answer.is_null()
        || (name == "rovodev_whoami" && !answer.to_string().contains("\"default\""))
}

struct Direct<'a> {
    running: &'a Running,
    owner: tokio_postgres::Client,
    /// Of tenant `default`.
    backup: String,
}

impl<'a> Direct<'a> {
    async fn new(running: &'a Running) -> Self {
        let owner = running.owner().await;
        let made = owner.query_one(
            "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at) \
             SELECT id, 'x', 'x', 'database', 'completed', 'x', now() FROM public.rovodev_tenants WHERE slug = 'default' \
             RETURNING id::text",
            &[],
        );
        let backup = made.await.unwrap().get(0);
        // Something to be read in each table that people read.
        owner
            .batch_execute(&format!(
                "INSERT INTO public.restore_operations (tenant_id, backup_id, restore_type) \
                     SELECT tenant_id, id, 'database' FROM public.backups WHERE id = '{backup}'; \
                 INSERT INTO public.rovodev_exports (tenant_id, backup_id, format, store_key) \
                     SELECT tenant_id, id, 'tar', 'x' FROM public.backups WHERE id = '{backup}'; \
                 INSERT INTO public.backup_schedules (tenant_id, name, cron_expression, backup_type) \
                     SELECT tenant_id, 'x', '0 3 * * *', 'full' FROM public.backups WHERE id = '{backup}'; \
                 SELECT rovodev.audit(tenant_id, 'job', 'x', 'backup', id, 'done') FROM public.backups WHERE id = '{backup}'"
            ))
            .await
            .unwrap();
        Self {
            running,
            owner,
            backup,
        }
    }

    /// By their marker or their name, so that a new one is looked at too.
    async fn tables(&self) -> Vec<String> {
        let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p') \
             AND (obj_description(oid, 'pg_class') LIKE 'rovodev:catalog%' OR relname LIKE 'rovodev\\_%') ORDER BY 1";
        let rows = self.owner.query(sql, &[]).await.unwrap();
        assert!(rows.len() >= READABLE.len());
        rows.iter().map(|r| r.get(0)).collect()
    }

    /// Each with arguments of its types: ids are those of somebody else's backup.
    async fn functions(&self) -> Vec<(String, Value)> {
        let sql = "SELECT proname::text, coalesce(proargnames, '{}')::text[], \
                ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) t) FROM pg_proc \
             WHERE pronamespace = 'public'::regnamespace \
               AND (obj_description(oid, 'pg_proc') LIKE 'rovodev:catalog%' OR proname LIKE 'rovodev\\_%') ORDER BY 1";
        let rows = self.owner.query(sql, &[]).await.unwrap();
        let of = |row: &tokio_postgres::Row| {
            let names: Vec<String> = row.get(1);
            let types: Vec<String> = row.get(2);
            let values: Vec<_> = names
                .iter()
                .zip(&types)
                .map(|(n, t)| self.value(n, t))
                .collect();
            let arguments: serde_json::Map<_, _> = names.into_iter().zip(values).collect();
            (row.get(0), Value::Object(arguments))
        };
        let found: Vec<(String, Value)> = rows.iter().map(of).collect();
        assert!(found.len() >= OF_PEOPLE.len() + OF_JOBS.len());
        found
    }

    fn value(&self, name: &str, type_name: &str) -> Value {
        match type_name {
            _ if name == "secret_hash" => json!("ab".repeat(32)),
            "uuid" => json!(self.backup),
            "uuid[]" => json!([self.backup]),
            "double precision" => json!(1.0),
            "integer" | "bigint" => json!(1),
            "boolean" => json!(false),
            "jsonb" => json!({}),
            // The slug of somebody else's tenant.
            "text" => json!("default"),
            "text[]" => json!(["default"]),
            "timestamp with time zone" => json!("2026-01-01T00:00:00Z"),
            other => panic!("say what to call a {other} with"),
        }
    }

    async fn table_is_shut(&self, table: &str, who: Option<&str>) {
        let columns = match who {
            Some(_) => self.readable_columns(table).await,
            None => String::new(),
        };
        let select = if columns.is_empty() { "*" } else { &columns };
        let path = format!("/rest/v1/{table}?select={select}");
        let (status, answer) = self.ask("GET", &path, who, None).await;
        match columns.is_empty() {
            true => assert!(is_shut(&answer), "{table} as {who:?}: {status} {answer}"),
            false => {
                let default = self.default_tenant().await;
                assert!(
                    status == 200 && !answer.to_string().contains(&default),
                    "{table}: {answer}"
                );
            }
        }
        let all = format!("/rest/v1/{table}");
        let body = json!({ self.writable_column(table).await: Value::Null });
        for method in ["POST", "PATCH", "DELETE"] {
            let body = (method != "DELETE").then(|| body.clone());
            let (status, answer) = self.ask(method, &all, who, body).await;
            let refused = is_shut(&answer);
            assert!(refused, "{method} {table} as {who:?}: {status} {answer}");
        }
    }

    async fn readable_columns(&self, table: &str) -> String {
        let sql = "SELECT coalesce(string_agg(attname, ',' ORDER BY attnum), '') FROM pg_attribute \
             WHERE attrelid = ('public.' || quote_ident($1::text))::regclass AND attnum > 0 AND NOT attisdropped \
               AND has_column_privilege('authenticated', attrelid, attnum, 'SELECT')";
        let row = self.owner.query_one(sql, &[&table]).await.unwrap();
        row.get(0)
    }

    /// One that its owner could write.
    async fn writable_column(&self, table: &str) -> String {
        let sql = "SELECT attname::text FROM pg_attribute WHERE attrelid = ('public.' || quote_ident($1::text))::regclass \
             AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = '' ORDER BY attnum LIMIT 1";
        self.owner.query_one(sql, &[&table]).await.unwrap().get(0)
    }

    async fn default_tenant(&self) -> String {
        let sql = "SELECT id::text FROM public.rovodev_tenants WHERE slug = 'default'";
        self.owner.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn call(&self, name: &str, arguments: &Value, who: Option<&String>) -> (u16, Value) {
        let path = format!("/rest/v1/rpc/{name}");
        let who = who.map(String::as_str);
        self.ask("POST", &path, who, Some(arguments.clone())).await
    }

    /// As the caller of a token, or else as `anon`.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let key = &self.running.project.keys().publishable;
        let mut request = self.running.request(method, path).header("apikey", key);
        if let Some(token) = who {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Every row of the catalog but for what refusals leave.
    async fn rows(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for table in self.tables().await {
            if ["rovodev_audit_log", "rovodev_rate_limits"].contains(&table.as_str()) {
                continue;
            }
            let sql = format!(
                "SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM public.{table} t"
            );
            all.insert(table, self.owner.query_one(&sql, &[]).await.unwrap().get(0));
        }
        all
    }

    /// What the roles of a project hold, from the server's own catalogs: exactly what is named above.
    async fn rights_are_those_named(&self) {
        let functions = "SELECT p.pronamespace::regnamespace || '.' || p.proname FROM pg_proc p \
             WHERE has_function_privilege($1::text, p.oid, 'EXECUTE') AND (p.pronamespace = 'rovodev'::regnamespace \
               OR p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'rovodev\\_%') ORDER BY 1";
        for (role, public, house) in [
            ("anon", OF_ANYBODY, &[][..]),
            ("authenticated", OF_PEOPLE, HELPERS),
            ("service_role", OF_JOBS, &[]),
        ] {
            let rows = self.owner.query(functions, &[&role]).await.unwrap();
            let found: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
            let public = public.iter().map(|f| format!("public.{f}"));
            let named: Vec<String> = public
                .chain(house.iter().map(|f| format!("rovodev.{f}")))
                .collect();
            assert_eq!(found, named, "functions of {role}");
        }
        let tables = "SELECT c.relname::text || ' ' || r FROM pg_class c \
             CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) r \
             WHERE (c.relnamespace = 'rovodev'::regnamespace OR c.relname LIKE 'rovodev\\_%' OR c.relname = ANY ($2)) \
               AND c.relkind = 'r' AND has_any_column_privilege($1::text, c.oid, r) \
             UNION ALL SELECT c.relname || ' ' || r FROM pg_class c CROSS JOIN unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) r \
             WHERE (c.relnamespace = 'rovodev'::regnamespace OR c.relname LIKE 'rovodev\\_%' OR c.relname = ANY ($2)) \
               AND c.relkind = 'r' AND has_table_privilege($1::text, c.oid, r) \
             UNION ALL SELECT c.relname || ' ' || r FROM pg_class c CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) r \
             WHERE c.relkind = 'S' AND c.relname LIKE 'rovodev\\_%' AND has_sequence_privilege($1::text, c.oid, r) ORDER BY 1";
        for (role, readable) in [
            ("anon", &[][..]),
            ("authenticated", READABLE),
            ("service_role", &[]),
        ] {
            let rows = self.owner.query(tables, &[&role, &READABLE]).await.unwrap();
            let found: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
            let named: Vec<String> = readable.iter().map(|t| format!("{t} SELECT")).collect();
            assert_eq!(found, named, "tables of {role}");
        }
    }
}
