//! Every function has its door, its program, its route, its place in `vercel.json` and in `docs/openapi.json`.

use crate::codes::document;
use rovodev::http::{MAX_DURATION, routes::ROUTES};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Vercel's Hobby plan takes in one deployment.
const MOST_FUNCTIONS: usize = 12;
/// They take backups, and so need `pg_dump`.
const DUMPING: &[&str] = &[
    "backups/create",
    "backups/[id]/restore",
    "schedules",
    "cron/tick",
    "hooks/deploy",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn vercel_json() -> Value {
    serde_json::from_slice(&std::fs::read(root().join("vercel.json")).unwrap()).unwrap()
}

/// The functions by their sources below `api/`.
fn doors() -> BTreeSet<String> {
    let (api, mut found, mut folders) = (root().join("api"), BTreeSet::new(), vec![]);
    folders.push(api.clone());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let inside = path.strip_prefix(&api).unwrap().with_extension("");
                    found.insert(inside.to_str().unwrap().to_string());
                }
            }
        }
    }
    found
}

/// The programs that Cargo builds, by their sources.
fn programs() -> BTreeSet<PathBuf> {
    let printed = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages.iter().find(|p| p["name"] == "rovodev").unwrap();
    let targets = own["targets"].as_array().unwrap().iter();
    targets
        .filter(|t| t["kind"][0] == "bin")
        .map(|t| PathBuf::from(t["src_path"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_door_has_its_program_and_its_route() {
    let doors = doors();
    assert!(doors.len() <= MOST_FUNCTIONS, "{doors:?}");
    let routes: BTreeSet<_> = ROUTES.iter().map(|r| r.function.to_string()).collect();
    assert_eq!(doors, routes);
    let programs = programs();
    for door in doors {
        let source = root().join(format!("api/{door}.rs"));
        assert!(programs.contains(&source), "Cargo.toml lacks {door}");
    }
}

#[test]
fn the_document_has_every_function_with_exactly_its_methods() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let documented: BTreeMap<String, BTreeSet<String>> = paths
        .map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            let operations = operations.filter(|(_, o)| o.get("responses").is_some());
            let methods = operations.map(|(method, _)| method.to_uppercase());
            (path.clone(), methods.collect())
        })
        .collect();
    let functions = ROUTES.iter().map(|route| {
        let path = route.function.replace('[', "{").replace(']', "}");
        let methods = route.methods.iter().map(ToString::to_string);
        (format!("/api/{path}"), methods.collect())
    });
    assert_eq!(documented, functions.collect());
}

#[test]
fn the_platform_gives_every_function_the_time_that_the_code_counts_on() {
    let configured = vercel_json();
    let functions = configured["functions"].as_object().unwrap();
    for door in doors() {
        let own = functions.get(&format!("api/{door}.rs"));
        let entry = own.unwrap_or(&functions["api/**/*.rs"]);
        assert_eq!(entry["maxDuration"], MAX_DURATION.as_secs(), "{door}");
        let dumps = entry["includeFiles"] == "pg_dump/**";
        assert_eq!(dumps, DUMPING.contains(&door.as_str()), "{door}");
    }
}

#[test]
fn every_cron_leads_to_a_function() {
    for cron in vercel_json()["crons"].as_array().unwrap() {
        let path = cron["path"].as_str().unwrap();
        assert!(rovodev::http::routes::find(path).is_some(), "{path}");
    }
}
