//! What `vercel build` wrote around the executables.

use crate::program::{Program, emitted, output};
use rovodev::http::{MAX_DURATION, routes::ROUTES};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// They take backups, and so bring `pg_dump`.
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

fn wrote() -> PathBuf {
    output().expect("name what vercel build wrote in ROVODEV_VERCEL_OUTPUT, as bin/test does")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every file below a folder, relative to it; none where there is no folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![folder.to_path_buf()]);
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(inside).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.strip_prefix(folder).unwrap().into())),
            }
        }
    }
    found
}

/// What `bin/bundle-pg-dump` says that it bundled.
fn bundled(folder: &Path) -> BTreeSet<PathBuf> {
    let described = json(&folder.join("pg_dump/bundle.json"));
    let listed = described["files"].as_array().unwrap().iter();
    let names = listed.map(|file| file["name"].as_str().unwrap());
    let inside = names.chain(["bundle.json"]);
    inside.map(|name| Path::new("pg_dump").join(name)).collect()
}

#[test]
#[ignore = "needs what vercel build wrote"]
fn every_function_was_emitted_with_its_files_and_nothing_else() {
    let output = wrote();
    let mut expected = BTreeSet::new();
    for route in ROUTES {
        let folder = emitted(&output, route.function);
        let mut own = BTreeSet::from([".vc-config.json", "executable"].map(PathBuf::from));
        if DUMPING.contains(&route.function) {
            own.extend(bundled(&folder));
        }
        let inside = folder.strip_prefix(&output).unwrap();
        expected.extend(own.iter().map(|file| inside.join(file)));
    }
    let functions = files(&output.join("functions"));
    let functions = functions
        .iter()
        .map(|file| Path::new("functions").join(file));
    assert_eq!(functions.collect::<BTreeSet<_>>(), expected);
}

#[test]
#[ignore = "needs what vercel build wrote"]
fn every_function_streams_and_lives_as_long_as_its_code_counts_on() {
    for route in ROUTES {
        let config = json(&emitted(&wrote(), route.function).join(".vc-config.json"));
        assert_eq!(config["handler"], "executable", "{config}");
        assert_eq!(config["runtime"], "executable", "{config}");
        assert_eq!(config["supportsResponseStreaming"], true, "{config}");
        assert_eq!(config["maxDuration"], MAX_DURATION.as_secs(), "{config}");
    }
}

#[test]
#[ignore = "needs what vercel build wrote"]
fn pg_dump_starts_in_every_function_that_brings_it() {
    for function in DUMPING {
        let folder = emitted(&wrote(), function);
        let described = json(&folder.join("pg_dump/bundle.json"));
        let loader = format!("pg_dump/{}", described["loader"].as_str().unwrap());
        let bundle = "/var/task/pg_dump";
        let arguments = [
            "--library-path",
            bundle,
            "/var/task/pg_dump/pg_dump",
            "--version",
        ];
        let mut started = Program::alone(&folder, &loader, &arguments);
        let told = started.command.env_clear().output().unwrap();
        let text = String::from_utf8_lossy(&told.stdout);
        let version = described["pg_dump"].as_str().unwrap();
        assert!(text.contains(version), "{function}: {told:?}");
    }
}

#[test]
#[ignore = "needs what vercel build wrote"]
fn the_pages_were_emitted_for_their_project_with_the_headers_of_vercel_json() {
    let (output, web) = (wrote(), root().join("web"));
    let emitted = output.join("static");
    let is_module = |file: &PathBuf| file.extension().is_some_and(|e| e == "js" || e == "css");
    let mut expected = files(&web);
    expected.retain(|file| !is_module(file));
    for file in expected
        .iter()
        .filter(|file| *file != Path::new("config.json"))
    {
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        let same = read(&web) == read(&emitted);
        assert_eq!(same, file != Path::new("index.html"), "{file:?}");
    }
    // Hosts refer to these by name; what is in chunks/ is named after its content.
    let named = [
        "app/main.js",
        "app/mount.js",
        "assets/dashboard.css",
        "worker.js",
        "config.json",
    ];
    expected.extend(named.map(PathBuf::from));
    let (chunks, others): (BTreeSet<_>, BTreeSet<_>) = files(&emitted)
        .into_iter()
        .partition(|file| file.starts_with("chunks"));
    assert_eq!(others, expected);
    assert!(chunks.len() > 5, "{chunks:?}");
    let worker = std::fs::read_to_string(emitted.join("worker.js")).unwrap();
    for chunk in &chunks {
        assert!(
            worker.contains(chunk.to_str().unwrap()),
            "{chunk:?} is not kept for want of a network"
        );
    }
    // As bin/vercel-build set them.
    let told = json(&emitted.join("config.json"));
    assert_eq!(told["supabaseUrl"], "https://project.supabase.example");
    assert_eq!(told["publishableKey"], "sb_publishable_example");
    let index = std::fs::read_to_string(emitted.join("index.html")).unwrap();
    assert!(index.contains("content=\"connect-src 'self' https://project.supabase.example\""));
    let configured = json(&root().join("vercel.json"));
    let routes = json(&output.join("config.json"));
    let emitted = routes["routes"].as_array().unwrap();
    for rule in configured["headers"].as_array().unwrap() {
        let source = rule["source"].as_str().unwrap();
        let route = emitted
            .iter()
            .find(|r| r["src"] == format!("^(?:{source})$").as_str());
        let route = route.unwrap_or_else(|| panic!("{source} is not in {emitted:?}"));
        for header in rule["headers"].as_array().unwrap() {
            let name = header["key"].as_str().unwrap();
            assert_eq!(route["headers"][name], header["value"], "{route}");
        }
    }
    assert_eq!(routes["crons"], configured["crons"]);
}
