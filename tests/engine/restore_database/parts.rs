//! Parts of a database whose definitions lead out of the part: what cannot come along is named beforehand.

use super::support::{Source, assert_same, dumped, one, request, schema, tables};
use crate::pg_dump::Database;
use crate::support::assert_told;
use rovodev::core::manifest::Warning;
use rovodev::error::Code;

const APP: &str = "CREATE SCHEMA app; CREATE SCHEMA other;
    CREATE TABLE other.parents (id int PRIMARY KEY);
    INSERT INTO other.parents SELECT generate_series(1, 3);
    CREATE FUNCTION other.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION other.allowed(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE TABLE app.calls (id serial PRIMARY KEY, parent int CONSTRAINT to_parents REFERENCES other.parents, boss int REFERENCES app.calls);
    INSERT INTO app.calls (parent, boss) SELECT 1 + i % 3, 1 FROM generate_series(1, 50) i;
    CREATE VIEW app.first AS SELECT c.id, other.id AS parent FROM app.calls c JOIN other.parents other ON other.id = c.parent;
    CREATE VIEW app.second AS SELECT first.id FROM app.first;
    CREATE MATERIALIZED VIEW app.own AS SELECT count(*) AS n FROM app.calls;
    CREATE TRIGGER touch BEFORE UPDATE ON app.calls FOR EACH ROW EXECUTE FUNCTION other.touch();
    ALTER TABLE app.calls ENABLE ROW LEVEL SECURITY;
    CREATE POLICY by_parent ON app.calls USING (EXISTS (SELECT FROM other.parents x WHERE x.id = calls.parent));
    CREATE POLICY by_function ON app.calls USING (other.allowed(id));
    CREATE FUNCTION app.of_parents() RETURNS SETOF other.parents LANGUAGE sql AS 'SELECT * FROM other.parents';
    CREATE FUNCTION app.of_calls() RETURNS SETOF app.calls LANGUAGE sql AS 'SELECT * FROM app.calls';
    GRANT SELECT ON app.first TO anon; COMMENT ON VIEW app.second IS 'x';";

/// What is left out, in the order of the names.
fn left_out(warnings: &[Warning]) -> Vec<&str> {
    let named = warnings.iter().filter(|w| w.code == "not_restored");
    let label = |w: &'_ Warning| w.message.find(" is left out: it needs ");
    let mut all: Vec<_> = named
        .map(|w| &w.message[..label(w).unwrap_or(w.message.len())])
        .collect();
    all.sort();
    all
}

const OUTSIDE: [&str; 7] = [
    "FK CONSTRAINT app.calls to_parents",
    "FUNCTION app.of_parents()",
    "POLICY app.calls by_function",
    "POLICY app.calls by_parent",
    "TRIGGER app.calls touch",
    "VIEW app.first",
    "VIEW app.second",
];

fn unquoted(labels: Vec<&str>) -> Vec<String> {
    labels.iter().map(|l| l.replace('"', "")).collect()
}

#[tokio::test]
async fn what_leads_out_of_a_schema_is_named_and_left_out() {
    let source = Source::new(APP).await;
    let backup = source.back_up_part(schema("app")).await;
    let target = Database::create("restoredb_target").await;
    let wanted = request(&backup, &target.url);

    let plan = source.plan(&wanted).await.unwrap();
    assert_eq!(unquoted(left_out(&plan.warnings)), OUTSIDE);
    let first = plan
        .warnings
        .iter()
        .find(|w| w.message.contains("app.second"));
    assert!(
        first
            .unwrap()
            .message
            .contains("app.first, which needs other.parents")
    );
    let outcome = source.restore(&wanted).await.unwrap();

    assert_eq!(unquoted(left_out(&outcome.warnings)), OUTSIDE);
    assert_eq!(
        outcome.warnings.len(),
        OUTSIDE.len(),
        "{:#?}",
        outcome.warnings
    );
    let session = target.session().await;
    assert_eq!(one::<i64>(&session, "SELECT n FROM app.own").await, 50);
    assert_eq!(
        one::<i64>(&session, "SELECT count(*) FROM app.of_calls()").await,
        50
    );
    assert_eq!(
        one::<i64>(&session, "SELECT nextval('app.calls_id_seq')").await,
        51
    );
    let keys = "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE connamespace = 'app'::regnamespace AND convalidated AND contype IN ('f', 'p')";
    assert_eq!(
        one::<String>(&session, keys).await,
        "calls_boss_fkey calls_pkey"
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn what_the_target_has_is_referred_to() {
    let source = Source::new(APP).await;
    let backup = source.back_up_part(schema("app")).await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let other: String = APP
        .split_once("CREATE TABLE app.calls")
        .unwrap()
        .0
        .replace("CREATE SCHEMA app;", "");
    session.batch("other", &other).await.unwrap();
    let mut wanted = request(&backup, &target.url);
    wanted.force = true;

    let outcome = source.restore(&wanted).await.unwrap();
    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    assert_same(
        &dumped(&source.database.url, &[]),
        &dumped(&target.url, &[]),
    );

    session
        .batch(
            "gone",
            "SET session_replication_role = replica; DELETE FROM other.parents WHERE id = 2",
        )
        .await
        .unwrap();
    let refused = source.restore(&wanted).await.unwrap_err();
    let told = [
        "rows of table app.calls refer by \"to_parents\" to rows of other.parents",
        "(parent) = (2)",
        "Choose that table too",
        "run the same command again",
    ];
    assert_told(&refused, Code::ConstraintViolated, &told);
    assert!(!refused.hint.unwrap().contains("--force"));
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn chosen_tables_come_with_types_and_functions_and_without_what_leads_out() {
    let source = Source::new(APP).await;
    let chosen = tables(&[("app", "calls")]);
    let part = source.back_up_part(chosen.clone()).await;
    let mut of_all = request(&source.back_up().await, &source.database.url);
    of_all.choice.selection = chosen;
    for mut wanted in [request(&part, &source.database.url), of_all] {
        let target = Database::create("restoredb_target").await;
        wanted.target = target.url.clone();
        let expected = [
            "FK CONSTRAINT app.calls to_parents",
            "POLICY app.calls by_parent",
        ];
        let plan = source.plan(&wanted).await.unwrap();
        assert_eq!(left_out(&plan.warnings), expected);
        let outcome = source.restore(&wanted).await.unwrap();
        assert_eq!(outcome.warnings.len(), 2, "{:#?}", outcome.warnings);
        assert_eq!((outcome.rows_added, outcome.tables), (50, 1));
        let session = target.session().await;
        let made = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace IN ('app'::regnamespace, 'other'::regnamespace)";
        assert_eq!(
            one::<i64>(&session, made).await,
            1,
            "no other table is made empty"
        );
        drop(session);
        target.drop().await;
    }
    source.database.drop().await;
}

#[tokio::test]
async fn a_table_that_cannot_be_made_is_refused_beforehand() {
    let sql = "CREATE SCHEMA app; CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('a'); CREATE SEQUENCE other.counter;
        CREATE DOMAIN app.moods AS other.mood[]; CREATE EXTENSION citext;
        CREATE TABLE app.t (m app.moods, n int); INSERT INTO app.t VALUES ('{a}', 1);
        CREATE TABLE app.u (n bigint DEFAULT nextval('other.counter'), c public.citext); INSERT INTO app.u VALUES (DEFAULT, 'x')";
    let source = Source::new(sql).await;
    let target = Database::create("restoredb_target").await;
    let narrow = source.back_up_part(schema("app")).await;
    let refused = source
        .restore(&request(&narrow, &target.url))
        .await
        .unwrap_err();
    let told = [
        "TABLE app.t needs app.moods, which needs other.mood",
        "TABLE app.u needs other.counter",
        "Restore in place",
    ];
    assert_told(&refused, Code::SchemaMissing, &told);

    let tables = source
        .back_up_part(tables(&[("app", "t"), ("app", "u")]))
        .await;
    let outcome = source
        .restore(&request(&tables, &target.url))
        .await
        .unwrap();
    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    assert_same(
        &dumped(&source.database.url, &[]),
        &dumped(&target.url, &[]),
    );
    target.drop().await;

    // Extensions come with a schema, wherever they lie.
    let session = source.database.session().await;
    session.batch("mending", "ALTER TABLE app.u ALTER n DROP DEFAULT; ALTER TABLE app.t DROP m; DROP DOMAIN app.moods").await.unwrap();
    let narrow = source.back_up_part(schema("app")).await;
    let target = Database::create("restoredb_target").await;
    let outcome = source
        .restore(&request(&narrow, &target.url))
        .await
        .unwrap();
    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

const FAMILIES: &str =
    "CREATE TABLE parent (id int); CREATE TABLE child (y text) INHERITS (parent);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 'c');
    CREATE TABLE root (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
    CREATE TABLE lower PARTITION OF low FOR VALUES FROM (0) TO (50);
    CREATE TABLE higher PARTITION OF low FOR VALUES FROM (50) TO (100);
    CREATE TABLE high PARTITION OF root DEFAULT;
    CREATE INDEX by_text ON root (t);
    INSERT INTO root SELECT i, 't' || i FROM generate_series(0, 149) i";

#[tokio::test]
async fn a_child_needs_its_parent() {
    let source = Source::new(FAMILIES).await;
    let target = Database::create("restoredb_target").await;
    let part = source.back_up_part(tables(&[("public", "child")])).await;
    let refused = source
        .restore(&request(&part, &target.url))
        .await
        .unwrap_err();
    assert_told(
        &refused,
        Code::SchemaMissing,
        &["TABLE public.child needs public.parent"],
    );
    let mut wanted = request(&source.back_up().await, &target.url);
    wanted.choice.selection = tables(&[("public", "child")]);
    let refused = source.restore(&wanted).await.unwrap_err();
    assert_told(
        &refused,
        Code::SchemaMissing,
        &["public.parent", "Choose that too"],
    );
    wanted.choice.selection = tables(&[("public", "child"), ("public", "parent")]);
    assert!(source.restore(&wanted).await.unwrap().warnings.is_empty());
    let session = target.session().await;
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM parent").await, 2);
    drop(session);
    target.drop().await;

    let target = Database::create("restoredb_target").await;
    wanted.target = target.url.clone();
    wanted.choice.selection = tables(&[("public", "parent"), ("public", "nobody")]);
    let refused = source.restore(&wanted).await.unwrap_err();
    assert_told(
        &refused,
        Code::NothingSelected,
        &["not in the backup: table public.nobody"],
    );
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_partitioned_table_comes_with_its_partitions_and_a_partition_alone() {
    let source = Source::new(FAMILIES).await;
    for (name, rows, attached) in [("root", 150, 4), ("low", 100, 2), ("lower", 50, 0)] {
        let backup = source.back_up_part(tables(&[("public", name)])).await;
        assert_eq!(backup.totals.rows, rows, "{name}");
        let target = Database::create("restoredb_target").await;
        let outcome = source
            .restore(&request(&backup, &target.url))
            .await
            .unwrap();
        let alone = format!("TABLE ATTACH public.{name}");
        let expected: &[&str] = if name == "root" { &[] } else { &[&alone] };
        assert_eq!(left_out(&outcome.warnings), expected);
        assert_eq!(
            outcome.warnings.len(),
            expected.len(),
            "{:#?}",
            outcome.warnings
        );
        let session = target.session().await;
        assert_eq!(
            one::<i64>(&session, &format!("SELECT count(*) FROM {name}")).await,
            rows as i64
        );
        assert_eq!(one::<i64>(&session, "SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind IN ('r', 'p')").await, attached);
        let keys = format!(
            "SELECT count(*) FROM pg_index WHERE indrelid = 'public.{name}'::regclass AND indisvalid"
        );
        assert_eq!(one::<i64>(&session, &keys).await, 2, "{name}");
        drop(session);
        target.drop().await;
    }
    source.database.drop().await;
}

/// A part makes its schemas anew; what else they hold must not go with them.
#[tokio::test]
async fn a_forced_part_drops_nothing_that_it_does_not_bring_back() {
    let source = Source::new(APP).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();
    let before = dumped(&target.url, &[]);

    let mut part = request(&backup, &target.url);
    part.choice.selection = tables(&[("app", "calls")]);
    part.force = true;
    let session = target.session().await;
    let more = "CREATE TABLE app.mine (x int); INSERT INTO app.mine VALUES (1)";
    session.batch("adding", more).await.unwrap();
    let refused = source.restore(&part).await.unwrap_err();
    assert_eq!(refused.code, Code::NotEmpty, "{refused}");
    assert!(refused.message.contains("app.mine"), "{refused}");
    session.batch("again", "DROP TABLE app.mine").await.unwrap();
    drop(session);
    assert_same(&before, &dumped(&target.url, &[]));
    target.drop().await;
    source.database.drop().await;
}
