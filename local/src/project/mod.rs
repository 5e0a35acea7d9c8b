//! What Supabase and Vercel put in front of a database, on one port of 127.0.0.1: `/rest/v1` (PostgREST behind keys),
//! `/auth/v1` (sign-in), Rovodev's functions under `/api`, and its pages everywhere else.

mod catalog;
mod codes;
mod functions;
mod gateway;
mod issuer;
mod keys;
mod mails;
mod pages;
mod provider;

pub use catalog::{TENANTS, seed_tenants, set_up};
pub use keys::{OlderKeys, ProjectKeys};

use crate::error::{Context, Result, message};
use crate::port;
use crate::postgres::Postgres;
use axum::Router;
use axum::serve::ListenerExt;
use rovodev::config::Settings;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running project; stops when dropped.
#[derive(Debug)]
pub struct Project {
    port: u16,
    keys: ProjectKeys,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Project {
    /// Serves the project of database `postgres`, on `port` or a free one. `settings` are those of the functions; without
    /// them there are none, no pages either, and only the project is there. The catalog's migrations must be applied before.
    pub async fn start(
        postgres: &Postgres,
        keys: ProjectKeys,
        port: Option<u16>,
        settings: Option<Settings>,
    ) -> Result<Project> {
        let port = match port {
            Some(port) => port,
            None => port::free()?,
        };
        let url = format!("http://127.0.0.1:{port}");
        let requests = Arc::<AtomicU64>::default();
        let gateway = gateway::routes(&url, &keys, postgres, requests.clone()).await?;
        let mut routes = Router::new()
            .nest("/auth/v1", issuer::routes(&url, &keys, postgres))
            .nest("/rest/v1", gateway);
        if let Some(settings) = settings {
            let told = pages::config(&settings)?;
            routes = routes.merge(pages::beside(functions::routes(settings).await?, told)?);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .context(format!("cannot open port {port} for the project"))?;
        let server = tokio::spawn(async move {
            // Else the end of an answer waits for word of its beginning.
            let listener = listener.tap_io(|socket| {
                let _ = socket.set_nodelay(true);
            });
            if let Err(error) = axum::serve(listener, routes).await {
                eprintln!("the local project stopped: {error}");
            }
        });
        Ok(Project {
            port,
            keys,
            requests,
            server,
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests PostgREST was sent so far.
    pub fn catalog_requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn keys(&self) -> &ProjectKeys {
        &self.keys
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An error of a library, with what was being done.
fn failed(doing: &str, error: impl std::fmt::Display) -> crate::Error {
    message(format!("{doing}: {error}"))
}
