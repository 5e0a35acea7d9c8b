//! The rules of the house, held by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 400;

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Top modules that a file of the library names by `crate::…`.
fn imports(code: &str) -> Vec<String> {
    used(code, "crate::")
}

/// Top modules that are named below `root`.
fn used(code: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            None => found.push(name(rest)),
            Some(group) => found.extend(top_names(group)),
        }
    }
    found
}

fn name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first names in `a::{b, c}, d}`.
fn top_names(group: &str) -> Vec<String> {
    let (mut depth, mut found, mut expecting) = (1, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expecting = true,
            c if expecting && !c.is_whitespace() => {
                found.push(name(&group[at..]));
                expecting = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// The first folder or file below `src/`.
fn top(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_string()
}

/// What each part may use besides itself, as `src/lib.rs` says.
fn allowed(part: &str) -> &'static [&'static str] {
    match part {
        "error" | "lib" => &[],
        "config" => &["error"],
        "core" => &["error", "config"],
        "ports" => &["core", "error", "config"],
        "tasks" => &["core", "ports", "error", "config"],
        "http" => &["tasks", "core", "ports", "error", "config"],
        other => panic!("src/{other} has no place in the house; say what it may import"),
    }
}

#[test]
fn imports_run_one_way() {
    for path in sources("src") {
        let part = top(&path);
        for import in imports(&code(&path)) {
            let fine = import == part || allowed(&part).contains(&import.as_str());
            assert!(fine, "{} imports crate::{import}", path.display());
        }
    }
}

/// The parts of the library that a door may use.
fn open_to(door: &str) -> &'static [&'static str] {
    match door {
        "api" => &["http"],
        "cli" => &["tasks", "core", "ports", "error", "config"],
        other => panic!("{other} is no door"),
    }
}

#[test]
fn functions_know_the_http_door_alone_and_the_command_line_never_does() {
    for door in ["api", "cli"] {
        for path in sources(door) {
            for part in used(&code(&path), "rovodev::") {
                assert!(
                    open_to(door).contains(&part.as_str()),
                    "{} uses rovodev::{part}",
                    path.display()
                );
            }
        }
    }
}

/// Files, networks, processes, clocks and chance, each of which makes a rule answer differently another time.
const OUTSIDE: [&str; 15] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "now_v7",
    "new_v4",
    "SystemRandom",
    "tokio",
    "reqwest",
];

#[test]
fn the_core_touches_nothing_outside() {
    for path in sources("src/core") {
        let code = code(&path);
        // What a file's tests use is theirs.
        let rules = code.split("#[cfg(test)]").next().unwrap_or_default();
        for outside in OUTSIDE {
            assert!(
                !rules.contains(outside),
                "{} uses {outside}",
                path.display()
            );
        }
    }
}

/// `super` must not lead around the rule.
#[test]
fn nothing_climbs_out_of_its_part() {
    for path in sources("src") {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let inside = path.strip_prefix(src).unwrap();
        let is_mod = inside.file_name().is_some_and(|n| n == "mod.rs");
        let depth = inside.components().count() - usize::from(is_mod);
        let climb = "super::".repeat(depth);
        // A test module below takes its file's names by `super::*`.
        let climbs = code(&path).replace("super::*", "").contains(&climb);
        assert!(
            !climbs,
            "{} reaches the library's root by {climb}",
            path.display()
        );
    }
}

#[test]
fn the_library_knows_no_door() {
    for path in sources("src") {
        let code = code(&path);
        for foreign in ["clap::", "indicatif::", "dialoguer::", "comfy_table::"] {
            assert!(!code.contains(foreign), "{} uses {foreign}", path.display());
        }
    }
}

#[test]
fn files_are_small_and_named_after_what_they_do() {
    for folder in ["src", "api", "cli", "local/src", "tests"] {
        for path in sources(folder) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let vague = ["utils", "util", "helpers", "misc", "common"];
            assert!(!vague.contains(&stem), "{} says nothing", path.display());
        }
    }
}

#[test]
fn every_setting_is_read_by_something() {
    let mut files: Vec<_> = ["src", "cli"].into_iter().flat_map(sources).collect();
    files.retain(|p| !p.ends_with("src/config.rs"));
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/web-site.mjs"));
    let readers: Vec<String> = files.iter().map(|p| code(p)).collect();
    for variable in rovodev::config::VARIABLES {
        let read = readers.iter().any(|code| code.contains(variable.name));
        assert!(
            read,
            "{} is documented, and nothing reads it",
            variable.name
        );
    }
}

#[test]
fn the_rules_notice_a_breach() {
    assert_eq!(imports("use crate::tasks::x;"), ["tasks"]);
    assert_eq!(
        imports("use crate::{core::{a, b}, error};"),
        ["core", "error"]
    );
    assert_eq!(
        used("rovodev::http::x(rovodev::tasks::y)", "rovodev::"),
        ["http", "tasks"]
    );
    assert!(!allowed("core").contains(&"ports") && !allowed("ports").contains(&"tasks"));
}
