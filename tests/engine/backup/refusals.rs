//! What could not be whole is refused, before anything is written.

use crate::support::{Source, assert_told, changed, public};
use rovodev::core::ident::QName;
use rovodev::core::manifest::Selection;
use rovodev::error::{Code, Error};

/// A role with a password of its own, and the error that a backup as that role gives.
async fn refused_as(source: &Source, rights: &str) -> Error {
    refused_for(source, rights, Selection::default()).await
}

async fn refused_for(source: &Source, rights: &str, selection: Selection) -> Error {
    let role = format!("role_{}", uuid::Uuid::new_v4().simple());
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p4ss'; GRANT USAGE ON SCHEMA public TO {role};"
    ) + &rights.replace("ROLE", &role);
    source.admin().await.batch_execute(&sql).await.unwrap();
    let url = changed(&source.url, |url| {
        url.set_username(&role).unwrap();
        url.set_password(Some("p4ss")).unwrap();
    });
    let url = rovodev::ports::postgres::DatabaseUrl::parse(&url).unwrap();
    let error = source
        .back_up(|r| (r.database, r.selection) = (Some(url), selection))
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("p4ss"));
    source.assert_nothing_left(&[]).await;
    error
}

#[tokio::test]
async fn a_table_or_sequence_that_the_role_may_not_read() {
    let source = Source::new(
        "CREATE TABLE open (a int); CREATE TABLE closed (a int); CREATE SEQUENCE counter;",
    )
    .await;
    let error = refused_as(&source, "GRANT SELECT ON open TO ROLE").await;
    assert_told(
        &error,
        Code::PermissionDenied,
        &["public.closed", "Grant SELECT", "pg_read_all_data"],
    );
    assert!(!error.message.contains("public.open"));
    // What is chosen may be read; the definitions of all tables come along, and pg_dump locks each.
    let chosen = Selection {
        tables: vec![public("open")],
        ..Selection::default()
    };
    let error = refused_for(&source, "GRANT SELECT ON open TO ROLE", chosen).await;
    assert_told(
        &error,
        Code::PermissionDenied,
        &[
            "pg_dump",
            "permission denied for table closed",
            "SELECT on every table",
            "pg_read_all_data",
        ],
    );
    assert!(!error.message.contains("LOCK TABLE"), "{error}");
    let error = refused_as(
        &source,
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE",
    )
    .await;
    assert_told(&error, Code::PermissionDenied, &["public.counter"]);
    let many: String = (0..9)
        .map(|i| format!("CREATE TABLE t{i} (a int);"))
        .collect();
    source.client().await.batch_execute(&many).await.unwrap();
    let error = refused_as(&source, "").await;
    assert_told(
        &error,
        Code::PermissionDenied,
        &["public.closed, public.open, public.t0, public.t1, public.t2 and 6 more"],
    );
}

#[tokio::test]
async fn rows_that_policies_would_hide() {
    let source = Source::new("CREATE TABLE plain (a int); CREATE TABLE guarded (a int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;").await;
    let error = refused_as(&source, "GRANT pg_read_all_data TO ROLE").await;
    assert_told(&error, Code::RowSecurity, &["public.guarded", "BYPASSRLS"]);
    assert!(!error.message.contains("public.plain"));
    source.back_up(|_| {}).await.unwrap();
}

#[tokio::test]
async fn large_objects_unless_a_part_is_chosen() {
    let source = Source::new("CREATE TABLE t (a int); SELECT lo_create(0), lo_create(0);").await;
    let error = source.back_up(|_| {}).await.unwrap_err();
    assert_told(
        &error,
        Code::LargeObjects,
        &["2 large objects", "bytea", "choose"],
    );
    source.assert_nothing_left(&[]).await;
    source
        .back_up(|r| r.selection.schemas = vec!["public".into()])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_choice_that_is_not_there() {
    let source = Source::new(
        "CREATE SCHEMA bare; CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE u (a int)",
    )
    .await;
    for (schemas, tables, told) in [
        (vec!["nobody"], vec![], "schema nobody"),
        (vec!["Public"], vec![], "schema Public"),
        (vec!["public", "bare"], vec![], "schema bare"),
        (vec!["auth"], vec![], "schema auth (the platform keeps it)"),
        (
            vec![],
            vec![public("u"), public("nobody")],
            "table public.nobody",
        ),
        (vec![], vec![QName::new("x", "u")], "table x.u"),
    ] {
        let schemas = schemas.into_iter().map(String::from).collect();
        let selection = Selection {
            schemas,
            tables,
            scope: None,
            ..Selection::default()
        };
        let error = source
            .back_up(|r| r.selection = selection)
            .await
            .unwrap_err();
        assert_told(
            &error,
            Code::NothingSelected,
            &[told, "upper and lower case"],
        );
    }
    source.assert_nothing_left(&[]).await;
}

#[tokio::test]
async fn a_row_of_more_than_a_gigabyte() {
    let source = Source::new("CREATE TABLE huge (a bytea, b bytea, c bytea)").await;
    // Written as hexadecimal digits, 600 MB are 1.2 GB of text.
    let sql = "ALTER TABLE huge ALTER a SET STORAGE MAIN; INSERT INTO huge SELECT z, z, z FROM (SELECT decode(repeat('00', 200000000), 'hex')) o(z)";
    source.client().await.batch_execute(sql).await.unwrap();
    let error = source.back_up(|_| {}).await.unwrap_err();
    assert_told(
        &error,
        Code::RowTooLarge,
        &["public.huge", "gigabyte", "--table"],
    );
    source.assert_nothing_left(&[]).await;
}
