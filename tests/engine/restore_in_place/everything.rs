//! All kinds of tables and values, broken in many ways and restored exactly.

use super::fixture::Fixture;
use rovodev::core::restore_plan::Mode;

const EVERYTHING: &str = include_str!("../restore_database/everything.sql");

/// Breaks every table: a third of the rows gone, others changed, new ones added.
pub const BREAK: &str = r#"
SET session_replication_role = replica;
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname IN ('app', 'public', 'Ünï "code"') AND c.relname NOT IN ('a', 'b', 'profiles')
             AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') LOOP
    EXECUTE format('DELETE FROM ONLY %s WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (ORDER BY ctid) n FROM ONLY %s) q WHERE n %% 3 = 1)', t, t);
  END LOOP;
END $$;
UPDATE public.types SET n = 1.00, js = '{"a":1, "a":2}', p = '(0,0)' WHERE id % 5 = 2;
INSERT INTO public.types (t) VALUES ('new');
INSERT INTO public.nothing SELECT FROM generate_series(1, 9);
UPDATE public.generated SET a = a + 100 WHERE id < 0;
UPDATE public.events SET at = at + 400 WHERE id % 7 = 0;
INSERT INTO public.events VALUES (9000, '2024-02-02', 'new');
DELETE FROM public.event_notes n WHERE NOT EXISTS (SELECT FROM public.events e WHERE (e.id, e.at) = (n.event, n.at));
UPDATE public.b SET a = 11 - a;
UPDATE public.profiles SET name = name || ' changed';
UPDATE public.bookings SET room = 5;
UPDATE public.child SET y = 'z';
INSERT INTO public.parent VALUES (3, 'newer');
INSERT INTO public.bookings VALUES (1, '[2020-01-01 12:00,2020-01-02 12:00)');
SET session_replication_role = origin;
REFRESH MATERIALIZED VIEW public.z_daily;
REFRESH MATERIALIZED VIEW public.a_monthly;
"#;

#[tokio::test]
async fn exact_brings_everything_back_and_undo_takes_it_away_again() {
    let f = Fixture::new(&format!(
        "DO $$ BEGIN CREATE ROLE anon; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
         DO $$ BEGIN CREATE ROLE authenticated; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; {}",
        // One batch is one transaction here.
        EVERYTHING.replace("CREATE TABLE public.a (", "SET CONSTRAINTS ALL IMMEDIATE; CREATE TABLE public.a (")
    ))
    .await;
    let before = f.contents().await;
    let backup = f.back_up().await;
    f.run(BREAK).await;
    let broken = f.contents().await;
    assert_ne!(before, broken);
    let triggers = "SELECT array(SELECT tgname || tgenabled::text FROM pg_trigger ORDER BY 1)";
    let before_triggers: Vec<String> = f.value(triggers).await;

    let restored = f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, before);
    assert!(restored.rows_added > 0 && restored.rows_changed > 0 && restored.rows_removed > 0);
    assert_eq!(f.value::<Vec<String>>(triggers).await, before_triggers);

    let undone = f.undo(restored.operation).await.unwrap();
    assert_eq!(f.contents().await, broken);
    f.undo(undone.operation).await.unwrap();
    assert_eq!(f.contents().await, before);

    let again = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    assert!(
        again.plan().is_empty(),
        "{:?}",
        again
            .plan()
            .tables
            .iter()
            .filter(|t| t.add + t.change + t.remove > 0)
            .collect::<Vec<_>>()
    );
    again.discard().await.unwrap();
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}

/// What is computed anew is computed as the app's own sessions would.
#[tokio::test]
async fn views_and_checks_follow_the_databases_time_zone() {
    let f = Fixture::new("SELECT").await;
    f.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo'); END $$; \
         SET timezone = 'Asia/Tokyo'; \
         CREATE TABLE ev (id int PRIMARY KEY, ts timestamptz, day date CHECK (day = ts::date)); \
         INSERT INTO ev VALUES (1, '2024-02-03 23:00+00', '2024-02-04'); \
         CREATE MATERIALIZED VIEW daily AS SELECT ts::date AS day FROM ev",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DELETE FROM ev").await;
    f.restore(&backup, Mode::Exact).await.unwrap();
    let day = f.value::<String>("SELECT day::text FROM daily").await;
    assert_eq!(day, "2024-02-04");
    f.drop().await;
}
