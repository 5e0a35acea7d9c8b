//! Who may call what: every function and method, by role, on one's own and on somebody else's, in a tenant that is the
//! whole database and in one with a scope.

mod rules;
mod scoped;

use crate::stack::{Person, Running};
use rovodev::http::routes::{ROUTES, find};
use rules::Least::{Admin, Link, Operator, Secret, Viewer};
use rules::{Least, RULES, Rule};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[test]
fn every_function_and_method_has_its_rule() {
    let path = |rule: &Rule| rule.function.split('?').next().unwrap();
    let function = |rule: &Rule| find(&format!("/api/{}", path(rule))).unwrap().function;
    let ruled: BTreeSet<_> = RULES.iter().map(|r| (function(r), r.method)).collect();
    let routes = ROUTES.iter();
    let served: BTreeSet<_> = routes
        .flat_map(|r| r.methods.iter().map(|m| (r.function, m.as_str())))
        .collect();
    assert_eq!(
        ruled, served,
        "every method of every route needs one row in RULES"
    );
}

/// A tenant, and its people by rank.
struct Tenant {
    slug: &'static str,
    people: [(Person, Least); 3],
}

const TENANTS: [Tenant; 2] = [
    Tenant {
        slug: "default",
        people: [
            (Person::Viewer, Viewer),
            (Person::Operator, Operator),
            (Person::Admin, Admin),
        ],
    },
    Tenant {
        slug: "northwind-dental",
        people: [
            (Person::CustomerViewer, Viewer),
            (Person::CustomerOperator, Operator),
            (Person::Customer, Admin),
        ],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn roles_open_what_is_theirs_and_nothing_else() {
    walk_by_roles(Running::start().await).await;
}

pub async fn walk_by_roles(running: Running) {
    let walk = Walk::of(running).await;
    for (own, foreign) in [(0, 1), (1, 0)] {
        for (person, rank) in TENANTS[own].people {
            let token = walk.running.sign_in(person).await;
            for rule in RULES {
                let expected = match rule.least {
                    Secret => 401,
                    Link => 404,
                    least if rank >= least => rule.through,
                    _ => 403,
                };
                let logged = walk.logged(person).await;
                let backup = walk.subject(rule, own).await;
                let mine = walk.ask(rule, &token, &backup, TENANTS[own].slug).await;
                assert_eq!(
                    mine.status, expected,
                    "{person:?} {} {}: {mine:?}",
                    rule.method, rule.function
                );
                // A plan is a question, whatever its method.
                let asks = rule.method == "GET" || rule.body.contains("preview");
                let leaves_a_row = !asks && rule.least != Secret;
                assert!(
                    !leaves_a_row || walk.logged(person).await > logged,
                    "{person:?} {} {} left no row in the log",
                    rule.method,
                    rule.function
                );
                walk.settled().await;
                let refused = if rule.has_id() { 404 } else { 403 };
                walk.shut(rule, person, &token, &TENANTS[foreign], refused)
                    .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_belongs_to_no_tenant_gets_nothing() {
    let walk = Walk::of(Running::start().await).await;
    let token = walk.running.sign_in(Person::Stranger).await;
    for rule in RULES {
        for tenant in &TENANTS {
            let refused = if rule.has_id() { 404 } else { 403 };
            walk.shut(rule, Person::Stranger, &token, tenant, refused)
                .await;
        }
        let subject = walk.subject(rule, 0).await;
        let none = walk.ask(rule, "", &subject, "default").await;
        let expected = if rule.least == Link { 404 } else { 401 };
        assert_eq!(
            none.status, expected,
            "{} {}: {none:?}",
            rule.method, rule.function
        );
    }
    assert_eq!(walk.logged(Person::Stranger).await, 0);
}

impl Rule {
    fn has_id(&self) -> bool {
        self.function.contains("[id]") || self.body.contains("[id]")
    }
}

/// All that an answer tells, but for when and under which id it was given.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

struct Walk {
    running: Running,
    owner: tokio_postgres::Client,
}

impl Walk {
    async fn of(running: Running) -> Self {
        let owner = running.owner().await;
        Self { running, owner }
    }

    /// What is somebody else's is refused like what does not exist, and nothing of it changes.
    async fn shut(&self, rule: &Rule, person: Person, token: &str, tenant: &Tenant, refused: u16) {
        let at = TENANTS.iter().position(|t| t.slug == tenant.slug).unwrap();
        let backup = self.subject(rule, at).await;
        let before = self.state(&backup).await;
        let foreign = self.ask(rule, token, &backup, tenant.slug).await;
        let unknown = Uuid::now_v7().to_string();
        let nowhere = self.ask(rule, token, &unknown, "no-such-tenant").await;
        let expected = match rule.least {
            Secret => 401,
            Link => 404,
            _ => refused,
        };
        let asked = format!("{person:?} {} {}", rule.method, rule.function);
        assert_eq!(foreign.status, expected, "{asked}: {foreign:?}");
        assert_eq!(foreign, nowhere, "{asked}: foreign and unknown differ");
        assert_eq!(
            self.state(&backup).await,
            before,
            "{asked} changed something"
        );
    }

    async fn ask(&self, rule: &Rule, token: &str, backup: &str, tenant: &str) -> Told {
        let path = format!("/api/{}", rule.function.replace("[id]", backup));
        let mut request = self.running.request(rule.method, &path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        // The tenant of a backup is known; elsewhere it is named.
        if !rule.has_id() {
            request = request.header("x-rovodev-tenant", tenant);
        }
        if !rule.body.is_empty() {
            request = request
                .header("content-type", "application/json")
                .body(rule.body.replace("[id]", backup));
        }
        let answer = request.send().await.unwrap();
        let headers = answer.headers().iter();
        let headers = headers
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_string()))
            .collect();
        Told {
            status: answer.status().as_u16(),
            headers,
            body: answer.text().await.unwrap(),
        }
    }

    /// What a call is about: a backup, a schedule, or a channel.
    async fn subject(&self, rule: &Rule, tenant: usize) -> String {
        match rule.function.split('?').next() {
            Some("schedules") => self.schedule(tenant).await,
            Some("workspace/channels") => self.channel(tenant).await,
            _ => self.backup(tenant).await,
        }
    }

    /// Leads to an address that nobody may reach, so that a test of it sends nothing. A tenant has so many at most: those
    /// of earlier calls go.
    async fn channel(&self, tenant: usize) -> String {
        let clear = "DELETE FROM public.rovodev_notification_channels c USING public.rovodev_tenants t \
             WHERE t.id = c.tenant_id AND t.slug = $1";
        let slug = TENANTS[tenant].slug;
        self.owner.execute(clear, &[&slug]).await.unwrap();
        let sql = "INSERT INTO public.rovodev_notification_channels (tenant_id, kind, name, events, target, secret) \
             SELECT id, 'webhook', 'made for a test', '{restore.done}', 'https://127.0.0.1/', 'whsec_c2VjcmV0' \
             FROM public.rovodev_tenants WHERE slug = $1 RETURNING id::text";
        self.owner.query_one(sql, &[&slug]).await.unwrap().get(0)
    }

    async fn schedule(&self, tenant: usize) -> String {
        let sql = "INSERT INTO public.backup_schedules (tenant_id, name, cron_expression, backup_type) \
             SELECT id, 'made for a test', '0 3 * * *', 'database' FROM public.rovodev_tenants WHERE slug = $1 RETURNING id::text";
        let row = self.owner.query_one(sql, &[&TENANTS[tenant].slug]).await;
        row.unwrap().get(0)
    }

    /// A completed backup of a tenant, of which the store knows nothing.
    async fn backup(&self, tenant: usize) -> String {
        let sql = "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, selection) \
             SELECT id, 'made for a test', 'x', 'database', 'completed', 'x', now(), rovodev.selection(t, '{}') \
             FROM public.rovodev_tenants t WHERE slug = $1 RETURNING id::text";
        let row = self.owner.query_one(sql, &[&TENANTS[tenant].slug]).await;
        row.unwrap().get(0)
    }

    /// The row of a backup, a schedule or a channel, and all that was asked of it.
    async fn state(&self, backup: &str) -> Value {
        let sql = "SELECT jsonb_build_object('backup', to_jsonb(b), 'schedule', to_jsonb(s), \
                 'channel', to_jsonb(c), \
                 'deliveries', (SELECT count(*) FROM public.rovodev_notification_deliveries d WHERE d.channel_id = c.id), \
                 'runs', (SELECT count(*) FROM public.backups r WHERE r.schedule_id = s.id), \
                 'restores', (SELECT count(*) FROM public.restore_operations o WHERE o.backup_id = b.id), \
                 'jobs', (SELECT count(*) FROM public.rovodev_jobs j WHERE j.backup_id = b.id))::text \
             FROM (SELECT $1::text::uuid AS id) subject LEFT JOIN public.backups b USING (id) \
             LEFT JOIN public.backup_schedules s USING (id) LEFT JOIN public.rovodev_notification_channels c USING (id)";
        let row = self.owner.query_one(sql, &[&backup]).await;
        let text: String = row.unwrap().get(0);
        serde_json::from_str(&text).unwrap()
    }

    /// Rows that a person left in the log.
    async fn logged(&self, person: Person) -> i64 {
        let sql = "SELECT count(*) FROM public.rovodev_audit_log WHERE actor = $1";
        let row = self.owner.query_one(sql, &[&person.email()]).await;
        row.unwrap().get(0)
    }

    /// Until no restore runs any more: there is one at a time.
    async fn settled(&self) {
        let sql = "SELECT count(*) FROM public.restore_operations WHERE status IN ('pending', 'in_progress')";
        for _ in 0..600 {
            let row = self.owner.query_one(sql, &[]).await.unwrap();
            if row.get::<_, i64>(0) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("a restore does not end");
    }
}
