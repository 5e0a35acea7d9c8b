//! One tenant's rows and what they need.

use crate::support::{Source, assert_told, table};
use rovodev::core::manifest::{Manifest, SchemaStatus, Scope};
use rovodev::error::{Code, Result};

const APP: &str = "
    CREATE TABLE countries (code text PRIMARY KEY, region int, unused text);
    CREATE TABLE regions (id int PRIMARY KEY, capital text REFERENCES countries);
    ALTER TABLE countries ADD FOREIGN KEY (region) REFERENCES regions;
    INSERT INTO regions VALUES (1, null), (2, null), (3, null);
    INSERT INTO countries VALUES ('de', 1), ('fr', 1), ('us', 2), ('br', 3);
    UPDATE regions SET capital = 'fr' WHERE id = 1;
    CREATE TABLE customers (tenant_id varchar(4), id int, parent int, country text REFERENCES countries,
      PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, parent) REFERENCES customers);
    CREATE TABLE calls (id int PRIMARY KEY, tenant_id varchar(4), customer int, FOREIGN KEY (tenant_id, customer) REFERENCES customers);
    CREATE TABLE parts (id int, call int REFERENCES calls, PRIMARY KEY (id, call)) PARTITION BY HASH (id);
    CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE notes (id int PRIMARY KEY, part int, call int, see int REFERENCES notes, FOREIGN KEY (part, call) REFERENCES parts);
    CREATE TABLE links (id int PRIMARY KEY, tenant_id varchar(4), other int REFERENCES calls);
    CREATE TABLE unrelated (a int); INSERT INTO unrelated VALUES (1);
    CREATE TABLE quiet (tenant_id text, a int); INSERT INTO quiet VALUES ('acme-2', 1);
    INSERT INTO customers VALUES ('acme', 1, null, 'de'), ('acme', 2, 1, null), ('beta', 1, null, 'us'), ('gone', 9, null, 'br');
    INSERT INTO calls VALUES (1, 'acme', 1), (2, 'acme', 2), (3, 'beta', 1), (4, 'beta', null);
    INSERT INTO parts VALUES (1, 1), (2, 1), (3, 2), (4, 3);
    INSERT INTO notes VALUES (1, 1, 1, null), (2, 2, 1, 1), (3, 4, 3, null), (5, null, null, 2);
    INSERT INTO links VALUES (1, 'acme', 3), (2, 'beta', 1);";

async fn scoped(source: &Source, column: &str, value: &str) -> Result<Manifest> {
    let scope = Scope::new(column, value);
    source.back_up(|r| r.selection.scope = Some(scope)).await
}

async fn texts(source: &Source, manifest: &Manifest, name: &str) -> String {
    let rows = source.rows(manifest, table(manifest, name)).await;
    String::from_utf8(rows).unwrap()
}

#[tokio::test]
async fn a_tenants_rows_come_with_what_they_need() {
    let source = Source::new(APP).await;
    let manifest = scoped(&source, "tenant_id", "acme").await.unwrap();
    let text = async |name| texts(&source, &manifest, name).await;
    assert_eq!(
        text("customers").await,
        "acme\t1\t\\N\tde\nacme\t2\t1\t\\N\nbeta\t1\t\\N\tus\n"
    );
    assert_eq!(
        text("calls").await,
        "1\tacme\t1\n2\tacme\t2\n3\tbeta\t1\n",
        "3 is linked to"
    );
    assert_eq!(
        text("parts_0").await.len() + text("parts_1").await.len(),
        "1\t1\n2\t1\n3\t2\n".len()
    );
    assert_eq!(
        text("notes").await,
        "1\t1\t1\t\\N\n2\t2\t1\t1\n5\t\\N\t\\N\t2\n"
    );
    assert_eq!(text("links").await, "1\tacme\t3\n");
    assert_eq!(
        text("countries").await,
        "de\t1\t\\N\nfr\t1\t\\N\nus\t2\t\\N\n"
    );
    assert_eq!(text("regions").await, "2\t\\N\n1\tfr\n");
    assert_eq!(text("quiet").await, "", "has the column, and no row");
    assert!(manifest.tables.iter().all(|t| t.name.name != "unrelated"));
    let owned = |name| table(&manifest, name).owned;
    assert_eq!(
        ["customers", "notes", "parts_0", "quiet"].map(owned),
        [true; 4]
    );
    assert_eq!(["countries", "regions"].map(owned), [false; 2]);
    assert_eq!(manifest.schema.status, SchemaStatus::NotIncluded);
    assert!(
        manifest.sequences.is_empty()
            && manifest
                .tables
                .iter()
                .flat_map(|t| &t.ranges)
                .all(|r| r.fingerprint.is_none())
    );
    source.assert_sound().await;
    source.assert_nothing_left(&[&manifest]).await;
}

/// A tenant that can make its rows refer to another's must not get that one's so, nor what lies below or above it.
#[tokio::test]
async fn an_exclusive_scope_leaves_others_rows_out() {
    let more = "CREATE TABLE templates (id int PRIMARY KEY, tenant_id varchar(4)); INSERT INTO templates VALUES (1, null), (2, 'beta'), (3, 'acme');
        CREATE TABLE steps (id int PRIMARY KEY, template int REFERENCES templates, next int REFERENCES steps);
        INSERT INTO steps VALUES (1, 1, null), (2, 2, null), (3, 3, null), (4, null, null), (5, null, 2), (6, 1, null);
        CREATE TABLE uses (id int PRIMARY KEY, tenant_id varchar(4), step int REFERENCES steps, template int REFERENCES templates, note int REFERENCES notes);
        INSERT INTO uses VALUES (1, 'acme', 1, 2, 3), (2, 'acme', 2, 1, null), (3, 'acme', 3, 3, 1), (4, 'acme', 4, null, null), (5, 'acme', 5, null, null), (6, 'beta', 6, 1, 1);
        CREATE TABLE tenants (id varchar(4) PRIMARY KEY, parent varchar(4) REFERENCES tenants); INSERT INTO tenants VALUES ('beta', null), ('acme', 'beta');
        ALTER TABLE uses ADD FOREIGN KEY (tenant_id) REFERENCES tenants;
        CREATE TABLE billing (id int PRIMARY KEY, of varchar(4) REFERENCES tenants); INSERT INTO billing VALUES (1, 'acme'), (2, 'beta');
        CREATE TABLE drafts (id int PRIMARY KEY, tenant_id varchar(4), call int REFERENCES calls); INSERT INTO drafts VALUES (1, null, 3), (2, null, 1), (3, null, null);
        CREATE TABLE cases (id int, kind text, tenant_id varchar(4), PRIMARY KEY (id, kind)); INSERT INTO cases VALUES (1, 'a', 'beta');
        CREATE TABLE case_notes (id int PRIMARY KEY, case_id int, kind text, FOREIGN KEY (case_id, kind) REFERENCES cases); INSERT INTO case_notes VALUES (1, 1, null), (2, null, null);
        CREATE TABLE partners (id int, tenant_id varchar(4), partner varchar(4) REFERENCES tenants, bill int REFERENCES billing, draft int REFERENCES drafts, note int REFERENCES case_notes);
        INSERT INTO partners VALUES (1, 'acme', 'beta', 2, 1, 1), (2, 'acme', 'acme', 1, 2, 2), (3, 'acme', null, null, 3, null);";
    let source = Source::new(&format!("{APP}{more}")).await;
    let scope = Scope {
        exclusive: true,
        ..Scope::new("tenant_id", "acme")
    };
    let whole = scope.clone();
    let manifest = source.back_up(|r| r.selection.scope = Some(whole)).await;
    let manifest = manifest.unwrap();
    let text = async |name| texts(&source, &manifest, name).await;
    assert_eq!(
        text("customers").await,
        "acme\t1\t\\N\tde\nacme\t2\t1\t\\N\n"
    );
    assert_eq!(text("calls").await, "1\tacme\t1\n2\tacme\t2\n");
    assert_eq!(
        text("notes").await,
        "1\t1\t1\t\\N\n2\t2\t1\t1\n5\t\\N\t\\N\t2\n"
    );
    assert_eq!(text("links").await, "1\tacme\t3\n");
    let countries = "de\t1\t\\N\nfr\t1\t\\N\n";
    assert_eq!(
        text("countries").await,
        countries,
        "what beta's need is out"
    );
    assert_eq!(text("templates").await, "1\t\\N\n3\tacme\n");
    assert_eq!(text("steps").await, "1\t1\t\\N\n3\t3\t\\N\n4\t\\N\t\\N\n");
    // The tenants themselves are theirs, and what hangs on them under another name.
    assert_eq!(text("tenants").await, "acme\tbeta\n");
    assert_eq!(text("billing").await, "1\tacme\n");
    assert_eq!(text("drafts").await, "2\t\\N\t1\n3\t\\N\t\\N\n");
    assert_eq!(text("case_notes").await, "2\t\\N\t\\N\n");
    // What is not taken tells whose rows are, too.
    let narrow = source.back_up(|r| {
        r.selection.scope = Some(scope);
        r.selection.tables = ["uses", "steps", "notes"]
            .map(crate::support::public)
            .into();
    });
    let narrow = narrow.await.unwrap();
    assert_eq!(
        texts(&source, &narrow, "steps").await,
        "1\t1\t\\N\n4\t\\N\t\\N\n"
    );
    assert!(narrow.tables.iter().all(|t| t.name.name != "notes"));
    assert_eq!(texts(&source, &narrow, "uses").await.lines().count(), 5);
}

#[tokio::test]
async fn a_scope_never_takes_a_value_for_another() {
    let source = Source::new(APP).await;
    // Cut to the length of customers.tenant_id it would be another tenant's.
    let manifest = scoped(&source, "tenant_id", "acme-2").await.unwrap();
    assert_eq!(texts(&source, &manifest, "quiet").await, "acme-2\t1\n");
    assert_eq!(manifest.totals.rows, 1);
    for value in ["nobody", "ACME", "' OR true --", ""] {
        let error = scoped(&source, "tenant_id", value).await.unwrap_err();
        assert_told(
            &error,
            Code::NothingSelected,
            &["no row has that value", "--scope"],
        );
    }
    let error = scoped(&source, "tenant", "acme").await.unwrap_err();
    assert_told(&error, Code::NothingSelected, &["no table has that column"]);
    source.assert_nothing_left(&[&manifest]).await;
}

#[tokio::test]
async fn a_value_of_another_type_is_told() {
    let sql = "CREATE TABLE a (tenant uuid, j json); INSERT INTO a VALUES ('00000000-0000-0000-0000-000000000001', '{}');
        CREATE TABLE b (n int, d date);";
    let source = Source::new(sql).await;
    for (column, value, type_name) in [
        ("tenant", "acme", "uuid"),
        ("n", "99999999999", "integer"),
        ("d", "2024-13-40", "date"),
        ("j", "{}", "json"),
    ] {
        let error = scoped(&source, column, value).await.unwrap_err();
        assert_told(
            &error,
            Code::NothingSelected,
            &["public.", column, value, type_name],
        );
    }
    source.assert_nothing_left(&[]).await;
}

/// One value, one tenant, whatever the types of the columns that hold it.
#[tokio::test]
async fn a_value_means_the_same_in_columns_of_every_type() {
    let upper = "A0000000-0000-0000-0000-00000000000B";
    let sql = format!(
        "CREATE DOMAIN tenant_number AS int CHECK (VALUE > 0);
        CREATE TABLE i (org int, v int); CREATE TABLE b (org bigint, v int); CREATE TABLE d (org tenant_number, v int);
        CREATE TABLE n (org numeric(6,2), v int); CREATE TABLE t (org text, v int); CREATE TABLE vc (org varchar(3), v int);
        CREATE TABLE c (org char(3), v int);
        CREATE TABLE u (tenant uuid, v int); CREATE TABLE ut (tenant text, v int); CREATE TABLE padded (code char(3), v int);
        INSERT INTO i VALUES (1, 1); INSERT INTO b VALUES (1, 1); INSERT INTO d VALUES (1, 1); INSERT INTO n VALUES (1, 1);
        INSERT INTO t VALUES ('1', 1), ('01', 2); INSERT INTO vc VALUES ('1', 1), ('01', 2); INSERT INTO c VALUES ('1', 1), ('01', 2);
        INSERT INTO u VALUES ('{upper}', 1); INSERT INTO ut VALUES ('{upper}', 2), (lower('{upper}'), 1); INSERT INTO padded VALUES ('a', 1)"
    );
    let source = Source::new(&sql).await;
    let one = scoped(&source, "org", "1").await.unwrap();
    assert_eq!(one.totals.rows, 7, "one of each table");
    let lower = scoped(&source, "tenant", &upper.to_lowercase())
        .await
        .unwrap();
    assert_eq!(lower.totals.rows, 2);
    assert_eq!(scoped(&source, "code", "a").await.unwrap().totals.rows, 1);

    let only = async |table: &str, value: &str| {
        let scope = Scope::new("org", value);
        let change = |r: &mut rovodev::tasks::create::CreateRequest| {
            r.selection.scope = Some(scope);
            r.selection.tables = vec![crate::support::public(table)];
        };
        source.back_up(change).await
    };
    for table in ["t", "vc", "c"] {
        assert_eq!(only(table, "01").await.unwrap().totals.rows, 1, "{table}");
    }
    for (table, type_name) in [
        ("i", "integer"),
        ("b", "bigint"),
        ("d", "tenant_number"),
        ("n", "numeric(6,2)"),
    ] {
        for value in ["01", "+1", " 1"] {
            let error = only(table, value).await.unwrap_err();
            let table = format!("public.{table}");
            let parts = [table.as_str(), type_name, "\"1\"", "--scope org=1"];
            assert_told(&error, Code::NothingSelected, &parts);
        }
    }
    for (column, value, canonical) in [
        ("org", "01", "1"),
        ("tenant", upper, &upper.to_lowercase()),
        ("code", "a ", "a"),
    ] {
        let error = scoped(&source, column, value).await.unwrap_err();
        let parts = [
            format!("{canonical:?}"),
            format!("--scope {column}={canonical}"),
        ];
        assert_told(&error, Code::NothingSelected, &[&parts[0], &parts[1]]);
    }
}

#[tokio::test]
async fn many_rows_of_a_tenant_keep_their_order() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, tenant int);
        INSERT INTO t SELECT i, i % 2 FROM generate_series(1, 90000) i;";
    let source = Source::new(sql).await;
    let manifest = scoped(&source, "tenant", "1").await.unwrap();
    let kept = table(&manifest, "t");
    assert_eq!((kept.rows, kept.ranges.len()), (45_000, 3));
    let text = String::from_utf8(source.rows(&manifest, kept).await).unwrap();
    let client = source.client().await;
    let told = client
        .query("SELECT id FROM t WHERE tenant = 1 ORDER BY ctid", &[])
        .await
        .unwrap();
    let told: Vec<i32> = told.iter().map(|r| r.get(0)).collect();
    let ids: Vec<i32> = text
        .lines()
        .map(|l| l.split('\t').next().unwrap().parse().unwrap())
        .collect();
    assert!(told == ids);
    source.assert_sound().await;
}

/// A partitioned table is chosen by its own name, as a restore chooses it.
#[tokio::test]
async fn a_partitioned_table_is_chosen_with_its_partitions() {
    let sql = "CREATE TABLE e (at int) PARTITION BY RANGE (at); CREATE TABLE other (i int);
        CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM (0) TO (10); CREATE TABLE e_2 PARTITION OF e FOR VALUES FROM (10) TO (20);
        INSERT INTO e VALUES (1), (11), (12)";
    let source = Source::new(sql).await;
    let manifest = source.back_up(|r| r.selection.tables = vec![crate::support::public("e")]);
    let manifest = manifest.await.unwrap();
    assert_eq!(
        crate::support::names(&manifest),
        ["public.e_1", "public.e_2"]
    );
    assert_eq!(manifest.totals.rows, 3);
}
