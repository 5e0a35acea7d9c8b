//! A store of every released format stays readable: `tests/fixtures/format-<n>` was written by the version that
//! brought the format, and is never written again.

use crate::pg_dump::Database;
use crate::restore_database::support::request;
use futures_util::TryStreamExt;
use rovodev::ports::postgres::Session;
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::check::check;
use rovodev::tasks::restore::database;
use rovodev::tasks::{Context, backups, open_store};
use std::path::Path;

/// BLAKE3 of each table's sorted COPY text, as the source wrote it when the fixture was made.
const SHOP: [(&str, &str); 4] = [
    (
        "shop.bare",
        "5896d7c81fa3a2eee0aa6139c752d40a1408b7e083aa940d1ece11d61d6c0e3e",
    ),
    (
        "shop.customers",
        "22e659908096a37662cefde0171daeb76a3b334e275bbb7f1082b84995863d45",
    ),
    (
        "shop.keyless",
        "be133269ef4998c66fc9b715058e64168d40400bd902e47c75a5b2c8a6512fa5",
    ),
    (
        "shop.orders",
        "44745b42e7af63ecccacd769236e74f860b97de07e02bffc5767ca22212d4dac",
    ),
];

async fn contents(session: &Session, table: &str) -> String {
    let copy = format!("COPY {table} TO STDOUT");
    let rows = session.copy_out("reading", &copy).await.unwrap();
    let mut rows: Vec<_> = rows.try_collect().await.unwrap();
    rows.sort();
    blake3::hash(&rows.concat()).to_hex().to_string()
}

#[tokio::test]
async fn format_1_is_checked_and_restored() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    let ctx = Context::default();
    let store = Store::open(folder.to_str().unwrap(), &S3Settings::default()).unwrap();
    let readable = open_store::open_to_read(&ctx, &store, None).await.unwrap();
    let report = check(&ctx, &readable, "default", &[]).await.unwrap();
    assert!(
        report.problems.is_empty() && report.rows_compared,
        "{report:?}"
    );
    let backup = backups::find(&store, "default", "latest").await.unwrap();
    assert_eq!(
        (
            backup.name.as_str(),
            backup.totals.rows,
            backup.config.len()
        ),
        ("first", 509, 3)
    );
    let target = Database::create("fixture").await;
    let request = request(&backup, &target.url);
    let plan = database::plan(&ctx, &store, &request).await.unwrap();
    database::apply(&ctx, &store, &request, &plan)
        .await
        .unwrap();
    let session = target.session().await;
    for (table, expected) in SHOP {
        assert_eq!(contents(&session, table).await, expected, "{table}");
    }
    let sequence = "SELECT last_value, is_called FROM shop.orders_id_seq";
    let row = session.query_one("reading", sequence, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (1000, false));
    drop(session);
    target.drop().await;
}
