//! The static files as Vercel serves them. What `vercel.json` says of them holds here too.

use super::{failed, provider};
use crate::error::{Context, Result, at, message};
use crate::home;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use fancy_regex::Regex;
use rovodev::config::{self, Settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tower_http::services::{ServeDir, ServeFile};

/// The pages as they are in the checkout. A deployment has what `bin/web-build` makes of them; a path to that, in
/// `ROVODEV_TEST_SITE`, is served instead.
const FOLDER: &str = "web";

/// What is needed of `vercel.json`.
#[derive(Deserialize)]
struct Deployment {
    headers: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    /// A pattern of paths, of which only text and groups are understood here: `/assets/(.*)`.
    source: String,
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    key: String,
    value: String,
}

/// Which paths get which headers.
type Rules = Arc<Vec<(Regex, HeaderName, HeaderValue)>>;

/// What `bin/web-build` writes into `config.json` for a deployment with these settings.
pub fn config(settings: &Settings) -> Result<Value> {
    let told = |name| settings.require(name).map_err(|e| failed("config.json", e));
    Ok(json!({
        "supabaseUrl": told(&config::SUPABASE_URL)?,
        "publishableKey": told(&config::SUPABASE_PUBLISHABLE_KEY)?,
        "appName": "AI Call Center",
        "providers": [provider::PROVIDER],
    }))
}

/// `functions`, with the pages at every path that is not theirs. `config` is what they read of this deployment.
pub fn beside(functions: Router, config: Value) -> Result<Router> {
    let checkout = home::checkout();
    let deployment = read(&checkout.join("vercel.json"))?;
    let site = std::env::var_os("ROVODEV_TEST_SITE").map(PathBuf::from);
    let folder = site.unwrap_or_else(|| checkout.join(FOLDER));
    let missing = ServeFile::new(folder.join("404.html"));
    // Vercel compresses them; here they may lie compressed beside themselves.
    let pages = ServeDir::new(folder)
        .precompressed_gzip()
        .not_found_service(missing);
    let rules = Arc::new(rules(deployment.headers)?);
    Ok(functions
        .route(
            "/config.json",
            get(move || std::future::ready(Json(config.clone()))),
        )
        .fallback_service(pages)
        .layer(middleware::from_fn_with_state(rules, add_headers)))
}

fn read(file: &Path) -> Result<Deployment> {
    let text = fs::read(file).context(at("read", file))?;
    serde_json::from_slice(&text).map_err(|e| failed("vercel.json", e))
}

fn rules(written: Vec<Rule>) -> Result<Vec<(Regex, HeaderName, HeaderValue)>> {
    let mut rules = Vec::new();
    for rule in written {
        let wrong = |e: &dyn std::fmt::Display| failed(&rule.source, e);
        let paths = pattern(&rule.source)?;
        for Header { key, value } in &rule.headers {
            let name = key.parse().map_err(|e| wrong(&e))?;
            let value = value.parse().map_err(|e| wrong(&e))?;
            rules.push((paths.clone(), name, value));
        }
    }
    Ok(rules)
}

/// Parameters (`:name`) and modifiers behind groups would mean something else to a regular expression.
fn pattern(source: &str) -> Result<Regex> {
    let (mut depth, mut own) = (0, true);
    for c in source.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ':' | '{' | '}' | '*' | '+' | '?' | '.' | '\\' if depth == 0 => own = false,
            _ => {}
        }
    }
    if !own || !source.starts_with('/') {
        return Err(message(format!(
            "vercel.json has headers for {source}; the local stack understands text and groups alone, as /assets/(.*)"
        )));
    }
    Regex::new(&format!("^{source}$")).map_err(|e| failed(source, e))
}

async fn add_headers(State(rules): State<Rules>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_string();
    let mut response = next.run(request).await;
    for (paths, name, value) in rules.iter() {
        if paths.is_match(&path).unwrap_or(false) {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn patterns_are_those_of_vercel_or_refused() {
        let pages = pattern("/((?!api/).*)").unwrap();
        for (path, ours) in [
            ("/", true),
            ("/assets/page.css", true),
            ("/apis", true),
            ("/api/backups/list", false),
        ] {
            assert_eq!(pages.is_match(path).unwrap(), ours, "{path}");
        }
        let assets = pattern("/assets/(.*)").unwrap();
        assert!(assets.is_match("/assets/a/b").unwrap());
        assert!(!assets.is_match("/x/assets/a").unwrap());
        for source in ["/:path*", "/a.css", "assets/(.*)", "/(a)?", "/x(.*"] {
            assert!(pattern(source).is_err(), "{source}");
        }
    }
}
