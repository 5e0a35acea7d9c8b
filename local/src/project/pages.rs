//! The static files as Vercel serves them. What `vercel.json` says of them holds here too.

use super::failed;
use crate::error::{Context, Result, at, message};
use crate::home;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use fancy_regex::Regex;
use serde::Deserialize;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tower_http::services::{ServeDir, ServeFile};

/// What is needed of `vercel.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    output_directory: String,
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

/// `functions`, with the pages at every path that is not theirs.
pub fn beside(functions: Router) -> Result<Router> {
    let checkout = home::checkout();
    let deployment = read(&checkout.join("vercel.json"))?;
    let folder = checkout.join(&deployment.output_directory);
    if !folder.join("index.html").is_file() {
        return Err(message(format!(
            "{} has no index.html; vercel.json names it as the folder of the pages",
            folder.display()
        )));
    }
    let missing = ServeFile::new(folder.join("404.html"));
    let pages = ServeDir::new(folder).not_found_service(missing);
    let rules = Arc::new(rules(deployment.headers)?);
    Ok(functions
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
