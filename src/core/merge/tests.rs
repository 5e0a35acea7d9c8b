use super::apply;
use super::*;
use crate::core::restore_plan::Mode;
use proptest::prelude::*;
use uuid::Uuid;

fn column(name: &str) -> Column {
    Column {
        name: name.into(),
        type_name: "text".into(),
        identity_always: name == "id",
    }
}

fn unit(number: i32, key: &[&str]) -> Unit {
    Unit {
        number,
        table: QName::new("app", "ca\"lls"),
        oid: 1,
        partitioned: false,
        columns: vec![column("id"), column("email")],
        extra: vec![column("added")],
        since: Vec::new(),
        generated: Vec::new(),
        key: key
            .iter()
            .map(|k| KeyColumn {
                name: (*k).into(),
                equals: "OPERATOR(pg_catalog.=)".into(),
            })
            .collect(),
        special: vec!["email".into(), "id".into()],
        merged: true,
        platform: false,
        ignored: Vec::new(),
    }
}

fn key(child: Option<usize>, parent: Option<usize>) -> ForeignKey {
    ForeignKey {
        name: "calls_boss".into(),
        child: QName::new("app", "calls"),
        child_partitioned: false,
        child_unit: child,
        parent: QName::new("auth", "users"),
        parent_partitioned: false,
        parent_unit: parent,
        parent_partitions: Vec::new(),
        columns: vec!["email".into()],
        parent_columns: vec!["id".into()],
        equals: vec!["OPERATOR(pg_catalog.=)".into()],
        full: false,
        validated: true,
        parent_lockable: true,
    }
}

#[test]
fn statements_of_a_merge() {
    let names = Names::restore(Uuid::nil());
    let (keyed, keyless) = (unit(0, &["id"]), unit(1, &[]));
    let units = [keyed.clone(), keyless.clone()];
    let mut all = vec![
        stage::create_table(&names, &keyed),
        stage::copy(&names, &keyed, ["email", "id"].into_iter()),
        stage::finish_table(&names, &keyed),
    ];
    for mode in [Mode::Missing, Mode::KeepNewer, Mode::Exact] {
        all.push(compare::full(&names, &keyed, mode, &names.found()));
    }
    all.push(compare::full(&names, &keyless, Mode::Exact, &names.found()));
    all.push(compare::count_touched([(&keyed, 7)]));
    all.extend(compare::refine(&names, &keyed, Mode::Exact, 7, true));
    all.push(orphans::find_orphans(
        &names,
        &units,
        &key(Some(0), Some(1)),
        &keyed,
        &names.decided(),
    ));
    all.push(foreign_keys::lock_parents(
        &names,
        &key(Some(0), None),
        &keyed,
    ));
    all.push(apply::keep(&names, &keyed));
    all.push(apply::delete(&names, &keyed));
    all.extend(apply::update(&names, &keyed));
    all.extend(apply::insert(&names, &keyed));
    all.push(foreign_keys::recheck_children(
        &names,
        &key(Some(0), None),
        &keyed,
    ));
    all.push(foreign_keys::recheck_parents(
        &names,
        &key(None, Some(0)),
        &keyed,
    ));
    insta::assert_snapshot!(all.join(";\n\n"));
}

#[test]
fn statements_of_an_undo() {
    let names = Names::undo_of(Uuid::nil(), Uuid::max());
    let all: Vec<String> = [unit(0, &["id"]), unit(1, &[])]
        .iter()
        .flat_map(|u| [undo::decide(&names, u), apply::insert(&names, u)].concat())
        .collect();
    insta::assert_snapshot!(all.join(";\n\n"));
}

proptest! {
    #[test]
    fn parents_come_first_unless_they_are_in_a_cycle(edges in prop::collection::vec((0usize..12, 0usize..12), 0..30)) {
        let keys: Vec<_> = edges.iter().map(|(c, p)| key(Some(*c), Some(*p))).collect();
        let order = order::parents_first(12, &keys);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..12).collect::<Vec<_>>());
        // Without backward edges there is no cycle, so every parent must come first.
        let forward: Vec<_> = edges.iter().filter(|(c, p)| p < c).map(|(c, p)| key(Some(*c), Some(*p))).collect();
        let order = order::parents_first(12, &forward);
        let place = |u: usize| order.iter().position(|o| *o == u);
        for (child, parent) in edges.iter().filter(|(c, p)| p < c) {
            prop_assert!(place(*parent) < place(*child));
        }
    }
}
