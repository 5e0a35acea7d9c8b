//! Numbers of things, as messages say them.

/// `1 row`, `2 rows`
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
