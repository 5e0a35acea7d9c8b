//! Every built-in type, with its extremes: rows come back as the server wrote them, text for text.

use crate::backup::exact::TYPES;
use crate::restore_database::support::{assert_same, dumped, request};
use crate::restore_in_place::fixture::Fixture;
use crate::support::{Source, restore};
use futures_util::TryStreamExt;
use rovodev::core::restore_plan::Mode;
use rovodev::ports::postgres::{Purpose, Session};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// Beside the tables of `types.sql`, which have no key: arrays of each type, and tables with a key in which each column
/// has a copy of all rows to be changed in it alone.
const MORE: &str = "
    CREATE SCHEMA arrays; CREATE SCHEMA keyed;
    DO $$ DECLARE t text; columns text; arrays text; count bigint; BEGIN
      FOR t, columns, arrays, count IN
        SELECT c.relname, string_agg(quote_ident(attname), ', ' ORDER BY attnum),
               string_agg(format('array_agg(%1$I) AS %1$I', attname), ', ' ORDER BY attnum) FILTER (WHERE typcategory <> 'A'), count(*)
          FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 JOIN pg_type y ON y.oid = atttypid
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY 1
      LOOP
        EXECUTE format('CREATE TABLE arrays.%1$I AS SELECT %2$s FROM public.%1$I', t, arrays);
        EXECUTE format('CREATE TABLE keyed.%1$I (col int, nth int, LIKE public.%1$I, PRIMARY KEY (col, nth))', t);
        EXECUTE format('INSERT INTO keyed.%1$I SELECT col, nth, %2$s FROM (SELECT row_number() OVER () AS nth, * FROM public.%1$I) q,
                          generate_series(0, %3$s) AS col', t, columns, count);
      END LOOP;
    END $$;";

/// Rows without a key are gone or there twice; arrays hold all elements twice; of rows with a key half of one copy is
/// gone, and in each other copy one column has the next row's value.
const BREAK: &str = "
    DO $$ DECLARE t text; c text; col int; y text; BEGIN
      FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('DELETE FROM public.%1$I WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER () AS n FROM public.%1$I) q WHERE n %% 2 = 1)', t);
        EXECUTE format('INSERT INTO public.%1$I TABLE public.%1$I', t);
        EXECUTE format('DELETE FROM keyed.%I WHERE col = 0 AND nth %% 2 = 0', t);
        FOR c, col, y IN SELECT attname, attnum, typcategory FROM pg_attribute JOIN pg_type y ON y.oid = atttypid
              WHERE attrelid = format('public.%I', t)::regclass AND attnum > 0 LOOP
          EXECUTE format('UPDATE keyed.%1$I k SET %2$I = n.%2$I FROM keyed.%1$I n WHERE k.col = %3$s AND n.col = %3$s
                           AND n.nth = k.nth %% (SELECT max(nth) FROM keyed.%1$I) + 1', t, c, col);
          IF y <> 'A' THEN EXECUTE format('UPDATE arrays.%1$I SET %2$I = %2$I || %2$I', t, c); END IF;
        END LOOP;
      END LOOP;
    END $$;";

/// What takes no value: its input function refuses every text.
const WITHOUT_VALUES: [&str; 7] = [
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
];

/// COPY text of all rows, sorted, by table.
type Texts = BTreeMap<String, Vec<Vec<u8>>>;

async fn texts(source: &Source) -> Texts {
    let session = Session::connect(&source.database(), Purpose::Read)
        .await
        .unwrap();
    let tables = "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'arrays', 'keyed')";
    let tables = session.query("listing", tables, &[]).await.unwrap();
    let mut texts = Texts::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let rows = session
            .copy_out("copying", &format!("COPY {table} TO STDOUT"))
            .await;
        let rows: Vec<_> = rows.unwrap().try_collect().await.unwrap();
        let all = rows.concat();
        let mut lines: Vec<_> = all
            .split_inclusive(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        lines.sort();
        texts.insert(table, lines);
    }
    texts
}

/// Without the rows themselves, some of which are long.
#[track_caller]
fn assert_equal(now: &Texts, then: &Texts, when: &str) {
    assert!(now.keys().eq(then.keys()), "{when}");
    for (table, lines) in then {
        let other = now[table].iter().zip(lines).find(|(a, b)| a != b);
        let shown = other.map(|(a, b)| {
            [a, b].map(|l| String::from_utf8_lossy(&l[..l.len().min(300)]).into_owned())
        });
        assert_eq!(shown, None, "{when}: {table}");
        assert_eq!(now[table].len(), lines.len(), "{when}: {table}");
    }
}

/// Rows with a key whose text is another now; their lines begin with it.
fn changed(then: &Texts, now: &Texts) -> u64 {
    let key = |line: &Vec<u8>| {
        line.splitn(3, |b| *b == b'\t')
            .take(2)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let keyed = then.iter().filter(|(table, _)| table.starts_with("keyed."));
    let others = keyed.flat_map(|(table, lines)| {
        let now: BTreeMap<_, _> = now[table].iter().map(|line| (key(line), line)).collect();
        lines
            .iter()
            .filter(move |line| now.get(&key(line)).is_some_and(|other| other != line))
    });
    others.count() as u64
}

async fn assert_every_type_is_there(client: &Client) {
    let sql = "SELECT array(SELECT typname::text FROM pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
          AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
          AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
                WHERE atttypid = t.oid AND attnum > 0 AND relkind = 'r' AND relnamespace = 'public'::regnamespace) ORDER BY 1)";
    let lacking: Vec<String> = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(lacking, WITHOUT_VALUES);
}

#[tokio::test]
async fn every_type_comes_back_elsewhere_and_in_place() {
    let source = Source::new(TYPES).await;
    let client = source.client().await;
    assert_every_type_is_there(&client).await;
    client.batch_execute(MORE).await.unwrap();
    let before = texts(&source).await;
    assert!(before.len() == 27 && before.values().all(|lines| !lines.is_empty()));
    let f = Fixture::at(source.database(), "SELECT").await;
    let backup = f.back_up().await;

    let target = Source::new("").await;
    let done = restore(&f.store.store, &request(&backup, &target.database()))
        .await
        .unwrap();
    assert!(done.warnings.is_empty(), "{:#?}", done.warnings);
    assert_equal(&texts(&target).await, &before, "elsewhere");
    let definitions = |of: &Source| dumped(&of.database(), &["--schema-only"]);
    assert_same(&definitions(&source), &definitions(&target));

    client.batch_execute(BREAK).await.unwrap();
    let broken = texts(&source).await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(done.rows_changed, changed(&before, &broken));
    assert_equal(&texts(&source).await, &before, "in place");
    let undone = f.undo(done.operation).await.unwrap();
    assert_equal(&texts(&source).await, &broken, "taken back");
    f.undo(undone.operation).await.unwrap();
    assert_equal(&texts(&source).await, &before, "taken back twice");
}
