//! Command lines that make no sense: one JSON object with everything a person would read.

use super::Shell;

const SECRET: &str = "s3cr3t/p4ssword";

#[test]
fn says_in_json_what_is_missing_or_wrong() {
    for (arguments, parts) in [
        (&["delete", "--force"][..], &["required", "<BACKUP>"][..]),
        (&["show"], &["required", "<BACKUP>"]),
        (&["download"], &["required", "<BACKUP>"]),
        (&["completions"], &["required", "<SHELL>"]),
        (&["completions", "klingon"], &["klingon", "bash", "fish"]),
        (
            &["restore", "--mode", "bogus"],
            &["bogus", "exact", "keep-newer"],
        ),
        (
            &["restore", "--undo", "x", "--input", "y"],
            &["--undo", "--input"],
        ),
        (&["restore", "--leave-changed"], &["--undo <OPERATION>"]),
        (&["backup", "--readers", "0"], &["--readers", "1..=64"]),
        (&["backup", "--scope", "x"], &["--scope", "COLUMN=VALUE"]),
        (
            &["backup", "--output", "a", "--store", "b"],
            &["--output", "--store"],
        ),
        (&["backup", "--bogus"], &["--bogus"]),
        (&["nonsense"], &["nonsense"]),
        (&[], &["subcommand", "backup", "restore"]),
    ] {
        let (code, value) = Shell::new().json(arguments);
        let error = &value["error"];
        assert_eq!(
            (code, error["code"].as_str()),
            (2, Some("usage")),
            "{value}"
        );
        let message = error["message"].as_str().unwrap();
        for part in parts {
            assert!(
                message.contains(part),
                "{arguments:?}: {part:?} is not in {message}"
            );
        }
        assert!(
            !message.contains('\n') && !message.starts_with("error"),
            "{message}"
        );
        assert!(
            error["hint"].as_str().is_some_and(|h| h.contains("--help")),
            "{value}"
        );
        let said = Shell::new().run(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn a_codec_needs_an_equals_sign_and_is_told_so() {
    let said = Shell::new().run(&["backup", "--compress", "none"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("tip: write --compress=none"),
        "{}",
        said.err
    );
    let (_, value) = Shell::new().json(&["backup", "--compress", "gzip"]);
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--compress=gzip"), "{hint}");
}

#[test]
fn an_address_at_the_wrong_place_is_not_quoted_with_its_password() {
    let address = format!("postgres://me:{SECRET}@host/db");
    for arguments in [
        &["backup", address.as_str()][..],
        &[&address],
        &["restore", "--mode", &address],
        &["backup", "--readers", &address],
    ] {
        let said = Shell::new().run(arguments);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(!said.err.contains(SECRET), "{}", said.err);
        assert!(!Shell::new().json(arguments).1.to_string().contains(SECRET));
    }
}
