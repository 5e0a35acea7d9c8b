//! One project for all tests of this binary, and calls as its people.

use local::postgres::Postgres;
use local::project::{self, Project, ProjectKeys};
use local::stack::{Parts, Stack};
use local::{demo, supabase};
use rovodev::config::Settings;
use serde_json::{Value, json};

/// The servers, their project, and a client.
pub struct Running {
    pub stack: Stack,
    pub project: Project,
    /// Of the functions, and of workers beside them.
    pub variables: Vec<(&'static str, String)>,
    http: reqwest::Client,
}

/// A person of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    Admin,
    Operator,
    Viewer,
    /// Of the tenant whose scope is one organization.
    Customer,
}

impl Person {
    fn email(self) -> &'static str {
        match self {
            Person::Admin => "admin@callcenter.example",
            Person::Operator => "operator@callcenter.example",
            Person::Viewer => "viewer@callcenter.example",
            Person::Customer => "olga.petrova@northwind-dental.example",
        }
    }
}

pub const CRON_SECRET: &str = "a-secret-that-is-long-enough";

impl Running {
    pub async fn start() -> Self {
        let stack = Stack::start(Parts::default()).await.unwrap();
        let postgres: &Postgres = &stack.postgres;
        let mut owner = supabase::connect(&postgres.owner_url("postgres"))
            .await
            .unwrap();
        demo::seed(&mut owner).await.unwrap();
        project::set_up(postgres).await.unwrap();
        project::seed_tenants(postgres).await.unwrap();
        stack.s3.create_bucket("backups").unwrap();
        let keys = ProjectKeys::random().unwrap();
        let port = local::port::free().unwrap();
        let credentials = stack.s3.credentials();
        let variables = vec![
            ("DATABASE_URL", postgres.owner_url("postgres")),
            ("BACKUP_STORE", "s3://backups".into()),
            ("STORE_KEY", "ab".repeat(32)),
            ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
            ("S3_ENDPOINT", stack.s3.endpoint()),
            ("SUPABASE_URL", format!("http://127.0.0.1:{port}")),
            ("SUPABASE_PUBLISHABLE_KEY", keys.publishable.clone()),
            ("SUPABASE_SECRET_KEY", keys.secret.clone()),
            ("CRON_SECRET", CRON_SECRET.into()),
            (
                "PG_DUMP",
                postgres.binaries().pg_dump().display().to_string(),
            ),
        ];
        let settings = Settings::of(variables.clone());
        let project = Project::start(postgres, keys, Some(port), Some(settings))
            .await
            .unwrap();
        Self {
            stack,
            project,
            variables,
            http: rovodev::ports::web::client().unwrap(),
        }
    }

    /// An access token.
    pub async fn sign_in(&self, person: Person) -> String {
        let url = format!("{}/auth/v1/token?grant_type=password", self.project.url());
        let body = json!({ "email": person.email(), "password": "demo-password" });
        let answer: Value = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .map(|t| serde_json::from_str(&t).unwrap())
            .unwrap();
        answer["access_token"].as_str().unwrap().to_string()
    }

    /// A session with the rights of the database's superuser.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        supabase::connect(&self.stack.postgres.url("postgres"))
            .await
            .unwrap()
    }

    /// A backup that is asked for and completed; its id.
    pub async fn backed_up(&self, token: &str, body: Value) -> String {
        let (status, created) = self
            .call(token, "POST", "/api/backups/create", Some(body))
            .await;
        assert_eq!(status, 202, "{created}");
        let id = created["id"].as_str().unwrap().to_string();
        let path = format!("/api/backups/{id}/restore/status");
        let ended = self.ended(token, &path).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        id
    }

    /// A function of the catalog, asked as a person without any of ours between.
    pub async fn rpc(&self, token: &str, function: &str, arguments: Value) -> Value {
        let answer = self
            .request("POST", &format!("/rest/v1/rpc/{function}"))
            .header("apikey", &self.project.keys().publishable)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(arguments.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{function}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Outcome and code of what the audit log holds of an action, in order.
    pub async fn audited(&self, action: &str) -> Vec<(String, Option<String>)> {
        let rows = self
            .superuser()
            .await
            .query(
                "SELECT outcome, code FROM public.rovodev_audit_log WHERE action = $1 ORDER BY id",
                &[&action],
            )
            .await
            .unwrap();
        rows.iter().map(|r| (r.get(0), r.get(1))).collect()
    }

    /// By any address: one of ours, or a link into the store.
    pub fn follow(&self, url: &str) -> reqwest::RequestBuilder {
        match url.starts_with('/') {
            true => self.request("GET", url),
            false => self.http.get(url),
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.project.url());
        self.http.request(method.parse().unwrap(), url)
    }

    /// Status and JSON of a call with a token.
    pub async fn call(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    /// Waits until a backup or its newest restore has ended, and returns its status.
    pub async fn ended(&self, token: &str, path: &str) -> Value {
        for _ in 0..600 {
            let (status, told) = self.call(token, "GET", path, None).await;
            assert_eq!(status, 200, "{told}");
            if ["completed", "failed", "cancelled", "expired"]
                .contains(&told["status"].as_str().unwrap())
            {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{path} did not end within a minute");
    }
}
