use super::*;
use proptest::prelude::*;

fn of(tables: &[(&str, u64)]) -> Measured {
    let rows = tables.iter().map(|(_, rows)| rows).sum();
    Measured {
        rows,
        bytes: rows * 10_000,
        tables: tables.iter().map(|(n, r)| (n.to_string(), *r)).collect(),
    }
}

fn kinds(now: &Measured, before: &[Measured]) -> Vec<Kind> {
    anomalies(now, before).iter().map(|a| a.kind).collect()
}

#[test]
fn a_table_that_lost_its_rows_is_named_with_its_numbers() {
    let usual = of(&[
        ("public.calls", 1145),
        ("crm.people", 900),
        ("public.queue", 3),
    ]);
    let mut before = vec![usual.clone(); 5];
    // Empty now and then: nothing to miss.
    before[3].tables.insert("public.queue".into(), 0);
    let now = of(&[
        ("public.calls", 0),
        ("public.queue", 0),
        ("crm.people", 900),
    ]);
    let found = anomalies(&now, &before);
    let texts: Vec<&str> = found.iter().map(|a| a.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "All tables: 2,048 rows in the backups before, 900 now",
            "All tables: 20.48 MB of rows in the backups before, 9 MB now",
            "calls: 1,145 rows in the backups before, 0 now",
        ]
    );
    let gone = of(&[("public.calls", 1145), ("public.queue", 3)]);
    let found = anomalies(&gone, &before);
    let told = "crm.people: 900 rows in the backups before, the table is gone now";
    assert_eq!((found.len(), found[0].text.as_str()), (1, told));
    assert_eq!(anomalies(&now, &before[..4]), [], "too few to know");
}

#[test]
fn small_apps_may_halve_and_treble() {
    let before = vec![of(&[("public.t", 99)]); 9];
    assert_eq!(kinds(&of(&[("public.t", 1)]), &before), []);
    let none = vec![of(&[("public.t", 0)]); 9];
    assert_eq!(kinds(&of(&[("public.t", 99)]), &none), []);
    assert_eq!(
        kinds(&of(&[("public.t", 110)]), &none),
        [Kind::ManyRows, Kind::ManyBytes]
    );
}

fn series() -> impl Strategy<Value = (Vec<Measured>, Measured)> {
    let one = (
        0..5000_u64,
        0..5_000_000_u64,
        prop::collection::btree_map("[a-c]", 0..3_u64, 0..3),
    );
    let one = one.prop_map(|(rows, bytes, tables)| Measured {
        rows,
        bytes,
        tables,
    });
    (prop::collection::vec(one.clone(), 0..30), one)
}

proptest! {
    /// Said again, and slower.
    #[test]
    fn the_rule_is_what_it_says((before, now) in series()) {
        let found = kinds(&now, &before);
        let seen = &before[..before.len().min(20)];
        let known = seen.len() >= 5;
        let middle = |value: fn(&Measured) -> u64| {
            let mut all: Vec<u64> = seen.iter().map(value).collect();
            all.sort_unstable();
            match all.len() {
                0 => 0,
                n if n % 2 == 1 => all[n / 2],
                n => u64::midpoint(all[n / 2 - 1], all[n / 2]),
            }
        };
        let (rows, bytes) = (middle(|b| b.rows), middle(|b| b.bytes));
        let has = |kind: Kind| found.contains(&kind);
        prop_assert_eq!(has(Kind::FewRows), known && rows >= 100 && now.rows * 2 < rows);
        prop_assert_eq!(has(Kind::ManyRows), known && now.rows >= 100 && now.rows > rows * 3);
        prop_assert_eq!(has(Kind::FewBytes), known && bytes >= 1 << 20 && now.bytes * 2 < bytes);
        prop_assert_eq!(has(Kind::ManyBytes), known && now.bytes >= 1 << 20 && now.bytes > bytes * 3);
        for table in ["a", "b", "c"] {
            let always = known && seen[..5].iter().all(|b| b.tables.get(table).is_some_and(|r| *r > 0));
            let named = |kind: Kind| anomalies(&now, &before).iter().any(|a| a.kind == kind && a.table.as_deref() == Some(table));
            prop_assert_eq!(named(Kind::EmptyTable), always && now.tables.get(table) == Some(&0));
            prop_assert_eq!(named(Kind::GoneTable), always && !now.tables.contains_key(table));
        }
    }

    /// A change that stays becomes what is usual, soon.
    #[test]
    fn what_stays_is_no_news_for_long((mut before, now) in series()) {
        for _ in 0..11 {
            before.insert(0, now.clone());
        }
        prop_assert_eq!(anomalies(&now, &before), []);
    }
}
