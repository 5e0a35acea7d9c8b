//! A project whose parts can be broken one by one, and the functions in this process, as one instance of them all.

use crate::proxy::{Cut, Proxy};
use crate::stack::{CRON_SECRET, Person, Running};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use local::settings::Variables;
use rovodev::config::Settings;
use rovodev::http::{Answer, Body, Service, routes};
use serde_json::{Value, json};
use std::time::Duration;

/// Hangs of ours would be longer.
const GUARD: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    SignIn,
    Catalog,
    Store,
    Source,
}

use Part::{Catalog, SignIn, Store};

/// A request, what it needs, and what it is answered when all is well.
pub struct Call {
    pub name: &'static str,
    method: &'static str,
    path: String,
    body: Option<Value>,
    pub needs: &'static [Part],
    pub status: u16,
}

#[derive(Debug)]
pub struct Told {
    pub status: u16,
    retry_after: Option<u64>,
    pub body: Value,
}

pub struct Broken {
    service: Service,
    variables: Variables,
    secrets: Vec<String>,
    token: String,
    /// A whole backup, and a link to it.
    backup: String,
    link: String,
    project: Proxy,
    store: Proxy,
    source: Proxy,
    pub running: Running,
}

fn whole(_: &str, _: usize) -> Cut {
    Cut::Nothing
}

impl Broken {
    pub async fn start() -> Self {
        let running = Running::start().await;
        let admin = running.sign_in(Person::Admin).await;
        let backup = running.backed_up(&admin, json!({ "type": "full" })).await;
        let postgres = format!("127.0.0.1:{}", running.stack.postgres.port());
        let project = Proxy::before(&running.project.url(), whole).await;
        let store = Proxy::before(&running.stack.s3.endpoint(), whole).await;
        let source = Proxy::before(&postgres, whole).await;
        let mut variables = running.variables.clone();
        for (name, value) in &mut variables {
            match *name {
                "SUPABASE_URL" => *value = project.url(),
                "S3_ENDPOINT" => *value = store.url(),
                "DATABASE_URL" => {
                    *value = value.replace(&postgres, &format!("127.0.0.1:{}", source.port()))
                }
                _ => {}
            }
        }
        let secret = [
            "AWS_SECRET_ACCESS_KEY",
            "SUPABASE_SECRET_KEY",
            "CRON_SECRET",
            "STORE_KEY",
        ];
        let secrets = variables.iter().filter(|(name, _)| secret.contains(name));
        let secrets: Vec<String> = secrets.map(|(_, value)| value.clone()).collect();
        let settings = Settings::of(variables.clone());
        let token = running.signed_for(Person::Admin, &project.url()).await;
        let mut broken = Self {
            service: Service::new(settings).unwrap(),
            variables,
            secrets,
            token,
            backup,
            link: String::new(),
            project,
            store,
            source,
            running,
        };
        let made = broken.ask(&broken.call("download")).await;
        broken.link = made.body["url"].as_str().unwrap().to_string();
        broken
    }

    /// Another process, which remembers nothing.
    pub fn begin_anew(&mut self) {
        self.begin_without("");
    }

    /// A process of a deployment that lacks this variable.
    pub fn begin_without(&mut self, name: &str) {
        let others = self.variables.iter().filter(|(n, _)| *n != name).cloned();
        self.service = Service::new(Settings::of(others)).unwrap();
    }

    /// Backups, restores, exports and jobs that the catalog knows of.
    pub async fn begun(&self) -> i64 {
        let query = "SELECT (SELECT count(*) FROM public.backups) + (SELECT count(*) FROM public.restore_operations) + \
            (SELECT count(*) FROM public.rovodev_exports) + (SELECT count(*) FROM public.rovodev_jobs)";
        let superuser = self.running.superuser().await;
        superuser.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Of the project the path tells the part; nobody listens for both.
    pub async fn breaks(&self, part: Part, fault: Option<Cut>) {
        let line = match part {
            SignIn | Catalog => &self.project,
            Store => &self.store,
            Part::Source => &self.source,
        };
        let Some(cut) = fault else {
            return line.refuse().await;
        };
        line.now(move |request, _| {
            let concerned = match part {
                SignIn => request.contains(" /auth/v1"),
                Catalog => request.contains(" /rest/v1"),
                _ => true,
            };
            if concerned { cut } else { Cut::Nothing }
        });
    }

    pub async fn mend(&self) {
        for line in [&self.project, &self.store, &self.source] {
            line.now(whole);
            line.listen().await;
        }
    }

    pub fn call(&self, name: &str) -> Call {
        let calls = self.calls().into_iter();
        calls.into_iter().find(|call| call.name == name).unwrap()
    }

    /// Every function. Health is asked apart.
    pub fn calls(&self) -> Vec<Call> {
        const ASKED: &[Part] = &[SignIn, Catalog];
        let of = |path: &str| format!("/api/backups/{}/{path}", self.backup);
        let call = |name, method, path, body, needs, status| Call {
            name,
            method,
            path,
            body,
            needs,
            status,
        };
        let file = json!({ "file": "vercel.json" });
        let (tar, preview) = (json!({ "format": "tar" }), json!({ "preview": true }));
        let (list, create) = ("/api/backups/list".into(), "/api/backups/create".into());
        let (live, tick) = (
            "/api/status/health?probe=live".into(),
            "/api/cron/tick".into(),
        );
        let (config, linked) = (json!({ "type": "config" }), self.link.clone());
        vec![
            call("list", "GET", list, None, ASKED, 200),
            call("create", "POST", create, Some(config), ASKED, 202),
            call("details", "GET", of("details"), None, ASKED, 200),
            call("preview", "POST", of("restore"), Some(preview), ASKED, 202),
            call("status", "GET", of("restore/status"), None, ASKED, 200),
            call("download", "POST", of("download"), Some(tar), ASKED, 201),
            call(
                "file",
                "POST",
                of("download"),
                Some(file),
                &[SignIn, Catalog, Store],
                200,
            ),
            call("link", "GET", linked, None, &[Catalog, Store], 200),
            call("live", "GET", live, None, &[], 200),
            call("tick", "GET", tick, None, &[Catalog], 200),
        ]
    }

    /// The answer, before its body is read.
    async fn answered(&self, call: &Call, accept: &str) -> Response<Body> {
        let token = match call.name {
            "tick" => CRON_SECRET,
            _ => &self.token,
        };
        let body = call.body.as_ref().map(Value::to_string);
        let request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header(header::HOST, "functions.example")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .body(body.unwrap_or_default().into())
            .unwrap();
        let answered = tokio::time::timeout(GUARD, routes::dispatch(&self.service, request));
        let Answer { response, behind } = answered.await.expect("an answer");
        for work in behind {
            tokio::spawn(work);
        }
        response
    }

    /// The events of the backup, as text.
    pub async fn watched(&self) -> Body {
        let call = self.call("status");
        self.answered(&call, "text/event-stream").await.into_body()
    }

    /// As if the backup were still being taken.
    pub async fn reopen(&self) {
        let superuser = self.running.superuser().await;
        let reopen = "SET session_replication_role = replica; \
                      UPDATE public.backups SET status = 'in_progress', progress = NULL";
        superuser.batch_execute(reopen).await.unwrap();
    }

    /// Requests to the catalog so far, by the functions of this process.
    pub fn catalog_asked(&self) -> usize {
        let requests = self.project.requests();
        let to_catalog = requests.iter().filter(|r| r.contains(" /rest/v1"));
        to_catalog.count()
    }

    /// Changes what the events tell.
    pub async fn progresses(&self, current: u64) {
        let change = format!(
            "UPDATE public.backups SET progress = '{{\"current\": {current}}}' WHERE id = '{}'",
            self.backup
        );
        let superuser = self.running.superuser().await;
        superuser.batch_execute(&change).await.unwrap();
    }

    pub async fn ask(&self, call: &Call) -> Told {
        let (head, body) = self.answered(call, "*/*").await.into_parts();
        let retry = head.headers.get(header::RETRY_AFTER);
        let read = tokio::time::timeout(GUARD, body.collect())
            .await
            .expect("an end");
        let bytes = read.map(|body| body.to_bytes()).unwrap_or_default();
        Told {
            status: head.status.as_u16(),
            retry_after: retry.map(|v| v.to_str().unwrap().parse().unwrap()),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    pub async fn health(&self) -> Told {
        self.ask(&Call {
            name: "health",
            method: "GET",
            path: "/api/status/health".into(),
            body: None,
            needs: &[],
            status: 200,
        })
        .await
    }

    /// Once it says so; it may be a look of a moment ago that it tells of.
    pub async fn health_once(&self, so: impl Fn(&Told) -> bool) -> Told {
        for _ in 0..100 {
            let told = self.health().await;
            if so(&told) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.health().await
    }

    /// An issuer that did not answer is asked again a moment later.
    pub async fn until_recognised(&self) {
        for _ in 0..100 {
            if self.ask(&self.call("list")).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the issuer's keys are not learnt again");
    }

    pub fn tells_no_secret(&self, told: &Told) {
        let text = told.body.to_string();
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{told:?}");
        }
        assert!(told.status < 500 || !text.contains("127.0.0.1"), "{told:?}");
    }
}

impl Told {
    pub fn is_down(&self, code: &str) {
        let told = (self.status, self.body["code"].as_str());
        assert_eq!(told, (503, Some(code)), "{self:?}");
        assert!(
            self.retry_after.is_some_and(|seconds| seconds > 0),
            "{self:?}"
        );
    }

    pub fn is_well(&self, part: Part) -> bool {
        let name = match part {
            SignIn => "auth",
            Catalog => "catalog",
            Store => "store",
            Part::Source => "database",
        };
        self.body["services"][name]["status"] == "ok"
    }
}
