//! The static files beside the functions.

use crate::stack::Running;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The headers that `vercel.json` gives to pages.
fn promised() -> Vec<(String, String)> {
    let text = std::fs::read(root().join("vercel.json")).unwrap();
    let configured: Value = serde_json::from_slice(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let rules = configured["headers"].as_array().unwrap();
    let pages = rules.iter().find(|r| r["source"] == "/((?!api/).*)");
    let headers = pages.unwrap()["headers"].as_array().unwrap();
    headers
        .iter()
        .map(|h| (text(&h["key"]), text(&h["value"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_with_their_types_and_the_headers_of_vercel_json() {
    let running = Running::start().await;
    let promised = promised();
    let names: Vec<_> = promised.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "Cache-Control",
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "Referrer-Policy",
        "Strict-Transport-Security",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    for (path, status, kind, file) in [
        ("/", 200, "text/html", "index.html"),
        ("/index.html", 200, "text/html", "index.html"),
        ("/assets/base.css", 200, "text/css", "assets/base.css"),
        ("/app/main.js", 200, "text/javascript", "app/main.js"),
        ("/icon.svg", 200, "image/svg+xml", "icon.svg"),
        ("/no/such/page", 404, "text/html", "404.html"),
    ] {
        let answer = running.request("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], kind, "{path}");
        for (name, value) in &promised {
            assert_eq!(answer.headers()[name], value.as_str(), "{path}: {name}");
        }
        let there = std::fs::read(root().join("web").join(file)).unwrap();
        assert_eq!(answer.bytes().await.unwrap(), there, "{path}");
    }
    let head = running.request("HEAD", "/").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.unwrap().is_empty());
    let post = running.request("POST", "/").send().await.unwrap();
    assert_eq!(post.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_told_where_to_sign_in() {
    let running = Running::start().await;
    let answer = running.request("GET", "/config.json").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told["supabaseUrl"], running.supabase_url());
    assert_eq!(told["publishableKey"], running.project.keys().publishable);
    assert!(!told.to_string().contains(&running.project.keys().secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_keep_headers_of_their_own() {
    let running = Running::start().await;
    for (path, status) in [
        ("/api/status/health?probe=live", 200),
        ("/api/no/such/function", 404),
    ] {
        let answer = running.request("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let headers = answer.headers();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert!(!headers.contains_key("permissions-policy"), "{headers:?}");
    }
}

/// As a client that does not tidy its paths up.
async fn raw(port_of: &str, path: &str) -> String {
    let host = port_of.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_folder() {
    let running = Running::start().await;
    let url = running.project.url();
    assert!(raw(&url, "/assets/base.css").await.contains(" 200 OK"));
    for path in [
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/assets/%2e%2e%2f%2e%2e%2fCargo.toml",
        "/..%2fCargo.toml",
        "/..%5cCargo.toml",
        "//Cargo.toml",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/assets/base.css%00.html",
        "/web/index.html",
        "/assets/",
    ] {
        let told = raw(&url, path).await;
        let refused = [" 404 ", " 400 "].iter().any(|s| told[..20].contains(s));
        assert!(refused, "{path}: {told}");
        assert!(!told.contains("[package]") && !told.contains("root:"));
    }
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![], vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == ending) => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// The values of an attribute, all written in double quotes.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    let parts = html.split(&start).skip(1);
    parts.map(|p| p.split('"').next().unwrap()).collect()
}

#[test]
fn pages_need_nothing_that_their_policy_forbids() {
    let web = root().join("web");
    let pages = files(&web, "html");
    assert!(pages.len() >= 2);
    for page in pages {
        let html = std::fs::read_to_string(&page).unwrap();
        let page = page.display();
        assert!(!html.contains("<style") && !html.contains(" style="));
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=").count()
        );
        let handlers = html.split(" on").skip(1);
        for after in handlers {
            let name: String = after.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(!after[name.len()..].starts_with('='), "{page}: on{name}");
        }
        for place in [values(&html, "href"), values(&html, "src")].concat() {
            let path = place.split('?').next().unwrap();
            assert!(
                !path.starts_with("//") && !path.contains(':'),
                "{page}: {place}"
            );
            // Only the page for lost addresses is served anywhere: the other one works under any path.
            let absolute = path.starts_with('/');
            assert_eq!(
                absolute,
                page.to_string().ends_with("404.html"),
                "{page}: {place}"
            );
            let file = path.trim_start_matches('/');
            // What this deployment is, the server says.
            let there = ["", "config.json"].contains(&file) || web.join(file).is_file();
            assert!(there, "{page}: {place}");
        }
    }
    let vendor = web.join("vendor");
    for script in files(&web, "js") {
        if script.starts_with(&vendor) {
            continue;
        }
        let code = std::fs::read_to_string(&script).unwrap();
        for sink in [
            "innerHTML",
            "outerHTML",
            "eval(",
            "document.write",
            "\"style\"",
            "cssText",
        ] {
            assert!(!code.contains(sink), "{}: {sink}", script.display());
        }
    }
}
