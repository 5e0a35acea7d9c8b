use super::Shell;

const COMMANDS: [&str; 14] = [
    "backup",
    "restore",
    "list",
    "show",
    "check",
    "delete",
    "prune",
    "download",
    "schedule",
    "tenant",
    "status",
    "init",
    "worker",
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
        let (_, taught) = said.out.split_once("Examples:").unwrap();
        let wide = taught.lines().find(|l| l.chars().count() > 80);
        assert_eq!(wide, None, "{command} --help fits a terminal");
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

/// Past the capture of a test's output, which nobody sees when it passes.
fn skipped(what: &str) {
    use std::io::Write;
    let mut past_the_capture = std::io::stderr();
    writeln!(past_the_capture, "SKIPPED: {what}").unwrap();
}

#[test]
fn completion_scripts_load() {
    let shell = Shell::new();
    let loads = |name: &str, script: &str| {
        // Shells write into the home folder.
        let mut command = shell.command(name);
        let said = command
            .args(["-c", script])
            .env("HOME", shell.folder.path());
        let said = said.output().unwrap();
        let out = String::from_utf8_lossy(&said.stdout).into_owned();
        let err = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(
            said.status.success() && err.is_empty(),
            "{name}: {out}{err}"
        );
        out
    };
    let registered = loads(
        "bash",
        "source <(rovodev completions bash); complete -p rovodev; \
         COMP_WORDS=(rovodev restore --mo); COMP_CWORD=2; _rovodev rovodev --mo restore; echo \"${COMPREPLY[@]}\"",
    );
    assert!(registered.contains("_rovodev"), "{registered}");
    assert!(
        registered.lines().any(|l| l == "--mode"),
        "it completes: {registered}"
    );
    for (name, script) in [
        (
            "zsh",
            "autoload -U compinit; compinit -u -D; source <(rovodev completions zsh); \
             [[ $_comps[rovodev] == _rovodev ]] && functions _rovodev_commands >/dev/null && functions _rovodev | grep -o -- '--mode' | head -n 1",
        ),
        (
            "fish",
            "rovodev completions fish | source; complete -C 'rovodev restore --mo'",
        ),
    ] {
        let mut look = shell.command("sh");
        let installed = look.args(["-c", &format!("command -v {name}")]);
        if !installed.output().unwrap().status.success() {
            assert!(
                std::env::var_os("ROVODEV_TEST_SHELLS").is_none(),
                "{name} is not on the PATH, although bin/test installed it"
            );
            skipped(&format!(
                "{name} is not installed: its completion script was not tested"
            ));
            continue;
        }
        let out = loads(name, script);
        assert!(out.contains("--mode"), "{name} completes: {out}");
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
