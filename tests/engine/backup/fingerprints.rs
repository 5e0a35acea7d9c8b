//! Fingerprints are the server's own, ranges line up between backups, and what did not change is stored once.

use crate::support::{Source, table};
use rovodev::core::manifest::{Manifest, Range, Table};
use rovodev::core::row_hash::RowHashSum;

/// Some 700 blocks of 8 kB with dead rows, holes and moved rows; `thin` is TOAST for the most part.
const BLOCKS: &str = "
    CREATE TABLE wide (id int PRIMARY KEY, t text) WITH (fillfactor = 50, autovacuum_enabled = off);
    INSERT INTO wide SELECT i, repeat(md5(i::text), 40) FROM generate_series(1, 2200) i;
    UPDATE wide SET t = t || 'x' WHERE id % 7 = 0; DELETE FROM wide WHERE id % 11 = 0;
    CREATE TABLE thin (id int, b text) WITH (autovacuum_enabled = off); ALTER TABLE thin ALTER b SET STORAGE EXTERNAL;
    INSERT INTO thin SELECT i, repeat(md5(i::text), 4000) FROM generate_series(1, 100) i;";

async fn told_by_server(source: &Source, table: &Table, range: &Range) -> String {
    let end = range
        .end_block
        .map(|b| format!("AND ctid < '({b},0)'"))
        .unwrap_or_default();
    let sql = format!(
        "SELECT count(*) || ':' || coalesce(sum(hashtidextended(ctid, xmin::text::bigint)), 0) FROM ONLY {} \
         WHERE ctid >= '({},0)' {end}",
        table.name.sql(),
        range.start_block
    );
    source
        .client()
        .await
        .query_one(&sql, &[])
        .await
        .unwrap()
        .get(0)
}

async fn assert_fingerprints(source: &Source, manifest: &Manifest) {
    for table in &manifest.tables {
        for range in &table.ranges {
            let told = told_by_server(source, table, range).await;
            assert_eq!(
                range.fingerprint.as_deref(),
                Some(told.as_str()),
                "{} from {}",
                table.name,
                range.start_block
            );
        }
    }
}

#[tokio::test]
async fn fingerprints_and_ranges_hold_from_backup_to_backup() {
    let source = Source::new(BLOCKS).await;
    let first = source.back_up(|_| {}).await.unwrap();
    let wide = table(&first, "wide");
    assert!(wide.ranges.len() > 4, "{} ranges", wide.ranges.len());
    assert_eq!(wide.range_blocks, 128);
    let ends: Vec<_> = wide.ranges.iter().map(|r| r.end_block).collect();
    let starts: Vec<_> = wide.ranges.iter().map(|r| Some(r.start_block)).collect();
    assert_eq!(ends[..ends.len() - 1], starts[1..]);
    assert_eq!(ends.last(), Some(&None));
    assert_fingerprints(&source, &first).await;
    source.assert_exact(&first).await;
    assert!(first.totals.new_bytes > 0 && first.totals.new_bytes <= first.totals.stored_bytes);

    let second = source.back_up(|_| {}).await.unwrap();
    assert_eq!(second.parent, Some(first.id));
    let segments = |m: &Manifest| {
        m.tables
            .iter()
            .flat_map(Table::segments)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(segments(&first), segments(&second));
    let own = |m: &Manifest| {
        [&m.schema.pre_data, &m.schema.post_data, &m.schema.extras]
            .map(|o| o.as_ref().unwrap().stored_bytes)
            .iter()
            .sum::<u64>()
    };
    assert_eq!(
        second.totals.new_bytes,
        own(&second),
        "no segment was written"
    );
    assert_eq!(
        second.totals.stored_bytes,
        first.totals.stored_bytes - own(&first) + own(&second)
    );

    let client = source.client().await;
    client
        .batch_execute("UPDATE wide SET t = 'changed' WHERE id = 3")
        .await
        .unwrap();
    // Grown to where a new table would get larger ranges: the old ones stay.
    client.batch_execute("INSERT INTO wide SELECT i, repeat(md5(i::text), 100) FROM generate_series(10000, 29000) i").await.unwrap();
    let third = source.back_up(|_| {}).await.unwrap();
    assert_eq!(table(&third, "wide").range_blocks, 128);
    assert_fingerprints(&source, &third).await;
    source.assert_exact(&third).await;
    let shared = table(&third, "wide")
        .segments()
        .filter(|s| segments(&first).contains(s))
        .count();
    assert!(shared >= wide.ranges.len() - 3, "{shared} shared");
    source.assert_sound().await;
}

#[tokio::test]
async fn row_sums_do_not_depend_on_the_order() {
    let sql = "CREATE TABLE up AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
        CREATE TABLE down AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i ORDER BY i DESC;
        CREATE TABLE other AS SELECT i, md5((i + 1)::text) FROM generate_series(1, 5000) i;";
    let source = Source::new(sql).await;
    let manifest = source.back_up(|_| {}).await.unwrap();
    let sum = |name: &str| {
        let mut all = RowHashSum::default();
        table(&manifest, name)
            .segments()
            .for_each(|s| all.merge(RowHashSum::parse(&s.row_hash_sum).unwrap()));
        all
    };
    assert_eq!(sum("up"), sum("down"));
    assert_ne!(sum("up"), sum("other"));
}
