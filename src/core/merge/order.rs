//! Parents before children.

use super::ForeignKey;
use std::collections::BTreeSet;

/// Indices of units so that parents come before their children; inside a cycle, in the given order.
pub fn parents_first(units: usize, keys: &[ForeignKey]) -> Vec<usize> {
    let edges = keys
        .iter()
        .filter_map(|k| Some((k.parent_unit?, k.child_unit?)));
    let mut parents = vec![BTreeSet::new(); units];
    let mut children = vec![Vec::new(); units];
    for (parent, child) in edges.filter(|(p, c)| p != c) {
        if parents[child].insert(parent) {
            children[parent].push(child);
        }
    }
    let mut waiting: BTreeSet<usize> = (0..units).collect();
    let mut ready: BTreeSet<usize> = (0..units).filter(|u| parents[*u].is_empty()).collect();
    let mut order = Vec::with_capacity(units);
    // Where only cycles are left, the first of them goes next.
    while let Some(next) = ready.pop_first().or_else(|| waiting.first().copied()) {
        if !waiting.remove(&next) {
            continue;
        }
        order.push(next);
        for child in &children[next] {
            parents[*child].remove(&next);
            if parents[*child].is_empty() && waiting.contains(child) {
                ready.insert(*child);
            }
        }
    }
    order
}
