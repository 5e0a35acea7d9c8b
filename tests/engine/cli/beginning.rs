//! What fails at its start leaves nothing behind.

use super::{Shell, app, url};

#[tokio::test]
async fn a_backup_that_cannot_begin_makes_no_store() {
    let database = app().await;
    let nobody = format!(
        "postgres://a:b@127.0.0.1:{}/x",
        local::port::free().unwrap()
    );
    for (address, arguments, code) in [
        (nobody, &["backup"][..], 6),
        (url(&database), &["backup", "--table", "nothing"], 2),
    ] {
        let shell = Shell::new().with("DATABASE_URL", address);
        let said = shell.run(arguments);
        assert_eq!(said.code, code, "{said:?}");
        let left: Vec<_> = std::fs::read_dir(shell.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    database.drop().await;
}
