//! Every code of a problem that the functions can answer is in `docs/openapi.json`, and no other.

use regex::Regex;
use rovodev::error::{Code, Error};
use rovodev::http::Problem;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Codes = BTreeSet<String>;

pub fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Of answers with one of these statuses, wherever in the document.
fn documented(value: &Value, statuses: &[u64], found: &mut Codes) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| documented(v, statuses, found)),
        Value::Object(all) => {
            if let Some(media) = all.get("application/problem+json") {
                let told = &media["schema"]["properties"];
                let status = told["status"]["const"].as_u64().unwrap();
                if statuses.is_empty() || statuses.contains(&status) {
                    found.extend(names(&told["code"]["enum"]));
                }
            }
            all.values().for_each(|v| documented(v, statuses, found));
        }
        _ => {}
    }
}

fn all_documented(statuses: &[u64]) -> Codes {
    let mut found = Codes::new();
    documented(&document(), statuses, &mut found);
    found
}

fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|name| name.as_str().unwrap().to_string())
        .collect()
}

fn files(folder: &str, suffix: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().unwrap().ends_with(suffix) => found.push(path),
                false => {}
            }
        }
    }
    found
}

fn matches(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = pattern.captures_iter(text);
    found.map(|c| c[c.len() - 1].to_string()).collect()
}

/// What `src/http` writes itself.
fn written() -> Codes {
    let mut found = Codes::new();
    for path in files("src/http", ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let literal = matches(
            r#"(?:bad_request|unauthorized|unavailable|new)\(\s*(?:StatusCode::[A-Z_]+,\s*)?"([a-z_]+)""#,
            &text,
        );
        let calls = matches(
            r"Problem::(bad_request|unauthorized|unavailable|new)\(",
            &text,
        );
        // A refusal of the catalog brings its own.
        let passed_on = usize::from(path.ends_with("src/http/caller.rs"));
        if !path.ends_with("src/http/problem.rs") {
            assert_eq!(
                calls.len(),
                literal.len() + passed_on,
                "a code in {path:?} is not seen"
            );
        }
        found.extend(literal);
    }
    found
}

/// What the catalog refuses people with.
fn refusals() -> Codes {
    let migrations = files("supabase/migrations", ".sql");
    let for_people = migrations
        .iter()
        .filter(|path| !path.to_str().unwrap().ends_with("_operators.sql"));
    for_people
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            matches(r"rovodev\.refusal\(\s*'([a-z_]+)'", &text)
        })
        .collect()
}

#[test]
fn the_document_has_every_code_and_no_other() {
    let documented = all_documented(&[]);
    let (written, refusals) = (written(), refusals());
    assert!(
        written.len() > 20 && refusals.len() > 10,
        "{written:?} {refusals:?}"
    );
    let possible: Codes = written.union(&refusals).cloned().collect();
    let missing: Vec<_> = possible.difference(&documented).collect();
    assert!(missing.is_empty(), "undocumented: {missing:?}");
    let of_tasks: Codes = Code::ALL.iter().map(|c| c.as_str().to_string()).collect();
    let impossible: Vec<_> = documented
        .iter()
        .filter(|code| !possible.contains(*code) && !of_tasks.contains(*code))
        .collect();
    assert!(impossible.is_empty(), "nothing answers {impossible:?}");
}

#[test]
fn what_breaks_is_documented_by_its_code() {
    let broken = |statuses: &[u16]| -> Codes {
        let problems = Code::ALL.iter().map(|c| Problem::from(&Error::new(*c, "")));
        let broken = problems.filter(|p| statuses.contains(&p.status));
        broken.map(|p| p.code).collect()
    };
    assert_eq!(all_documented(&[500]), broken(&[500]));
    let mut down = broken(&[503]);
    down.insert("auth_unreachable".into());
    assert_eq!(all_documented(&[503]), down);
    let mut told: Codes = Code::ALL.iter().map(|c| c.as_str().to_string()).collect();
    told.insert("gave_up".into());
    let schemas = &document()["components"]["schemas"];
    let documented = Codes::from_iter(names(&schemas["ErrorCode"]["enum"]));
    assert_eq!(documented, told);
}
