use super::Shell;

const COMMANDS: [&str; 11] = [
    "backup",
    "restore",
    "list",
    "show",
    "check",
    "delete",
    "prune",
    "download",
    "status",
    "init",
    "completions",
];

#[test]
fn help_teaches() {
    let shell = Shell::new();
    insta::assert_snapshot!("rovodev", shell.run(&["--help"]).out);
    for command in COMMANDS {
        let said = shell.run(&[command, "--help"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{command}");
        assert!(said.out.contains("Examples:\n"), "{command} shows examples");
        insta::assert_snapshot!(command, said.out);
    }
}

#[test]
fn short_help_fits_one_screen() {
    let shell = Shell::new();
    insta::assert_snapshot!("rovodev-h", shell.run(&["-h"]).out);
    for command in COMMANDS {
        let said = shell.run(&[command, "-h"]);
        let lines = said.out.lines().count();
        assert!(lines <= 40, "{command} -h has {lines} lines");
    }
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let said = Shell::new().run(&["completions", shell]);
        for command in COMMANDS {
            assert!(said.out.contains(command), "{shell} completes {command}");
        }
    }
}

#[test]
fn colours_only_on_a_terminal() {
    let said = Shell::new().run(&["show", "x"]);
    assert!(
        !said.err.contains('\u{1b}') && !said.out.contains('\u{1b}'),
        "{said:?}"
    );
}
